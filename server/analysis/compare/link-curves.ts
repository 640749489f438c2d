/** The curves of links and where their labels stand, once boxes have their places. Units are pixels at scale 1. */
import { BOX, type Placed } from './box.js';

/** A box or a joint that a link goes through. */
interface Stop {
  /** Middle. */
  readonly x: number;
  readonly top: number;
  readonly bottom: number;
  /** Index of the box; null for a joint. */
  readonly box: number | null;
}
export type Route = readonly Stop[];

export interface DrawnLink {
  /** Path data: the curve, and the head of its arrow. */
  readonly d: string;
  readonly head: string;
  /** Middle of the label. */
  readonly labelX: number;
  readonly labelY: number;
}

/** Of the text of a label: height, and width of a character. */
const LABEL = { height: 13, character: 5.5 } as const;
const HEAD = { length: 7, width: 4 } as const;
/** Part of a box's side along which links leave it. */
const PORTS = 0.72;
/** How far an arc within a layer hangs below it. */
const ARC = 30;

export function drawLinks(routes: readonly Route[], labels: readonly string[], boxes: readonly Placed[]): DrawnLink[] {
  const ports = portsOf(routes);
  const taken = new Shelves();
  for (const box of boxes) taken.put({ ...box, ...BOX });
  return routes.map((route, index): DrawnLink => {
    const segments = segmentsOf(route, ports[index]!);
    const width = labels[index]!.length * LABEL.character;
    const tries = LABEL_PLACES.flatMap((t) => middleFirst(segments).map((segment) => pointOn(segment, t)));
    const at = tries.find(({ x, y }) => taken.isFree(labelBox(x, y, width))) ?? pointOn(middleFirst(segments)[0]!, 0.5);
    taken.put(labelBox(at.x, at.y, width));
    return { d: pathOf(segments), head: headOf(segments.at(-1)!), labelX: Math.round(at.x), labelY: Math.round(at.y) };
  });
}

// ------------------------------------------------------------------------------------------------ ports

/** Where a route leaves its first box and enters its last one. */
interface Ports { from: number; to: number }

/** Links that meet a side of a box share it, in the order of where they go. */
function portsOf(routes: readonly Route[]): Ports[] {
  const ports = routes.map((route): Ports => ({ from: route[0]!.x, to: route.at(-1)!.x }));
  const sides = new Map<string, { readonly towards: number; readonly put: (x: number) => void; readonly middle: number }[]>();
  const meet = (stop: Stop, next: Stop, put: (x: number) => void): void => {
    const side = `${stop.box} ${next.top >= stop.top ? 'bottom' : 'top'}`;
    (sides.get(side) ?? sides.set(side, []).get(side)!).push({ towards: next.x, put, middle: stop.x });
  };
  routes.forEach((route, index) => {
    const port = ports[index]!;
    meet(route[0]!, route[1]!, (x) => (port.from = x));
    meet(route.at(-1)!, route.at(-2)!, (x) => (port.to = x));
  });
  for (const links of sides.values()) {
    links.sort((a, b) => a.towards - b.towards);
    links.forEach(({ middle, put }, index) => put(middle + ((index + 0.5) / links.length - 0.5) * BOX.width * PORTS));
  }
  return ports;
}

// ------------------------------------------------------------------------------------------------ curves

interface Point { readonly x: number; readonly y: number }
type Segment = readonly [Point, Point, Point, Point];

/** Curves with vertical ends from stop to stop; through a layer between straight on. */
function segmentsOf(route: Route, { from, to }: Ports): Segment[] {
  const first = route[0]!, last = route.at(-1)!;
  if (first.top === last.top) return [arc({ x: from, y: first.bottom }, { x: to, y: last.bottom })];
  const down = first.top < last.top;
  const xs = route.map(({ x }, index) => (index === 0 ? from : index === route.length - 1 ? to : x));
  return route.slice(1).map((stop, index): Segment => {
    const before = route[index]!;
    const a = { x: xs[index]!, y: down ? before.bottom : before.top }, d = { x: xs[index + 1]!, y: down ? stop.top : stop.bottom };
    const bend = (d.y - a.y) / 2;
    return [a, { x: a.x, y: a.y + bend }, { x: d.x, y: d.y - bend }, d];
  });
}

const arc = (a: Point, d: Point): Segment => [a, { x: a.x, y: a.y + ARC }, { x: d.x, y: d.y + ARC }, d];

function pathOf(segments: readonly Segment[]): string {
  const point = ({ x, y }: Point): string => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
  return segments.map(([a, b, c, d], index) => `${index === 0 ? 'M' : 'L'}${point(a)}C${point(b)} ${point(c)} ${point(d)}`).join('');
}

/** All ends are vertical. */
function headOf([, , c, d]: Segment): string {
  const back = d.y - Math.sign(d.y - c.y || 1) * HEAD.length;
  const x = Math.round(d.x * 10) / 10;
  return `M${x - HEAD.width} ${back}L${x} ${d.y}L${x + HEAD.width} ${back}Z`;
}

// ------------------------------------------------------------------------------------------------ labels

/** Where along a curve a label is tried. */
const LABEL_PLACES = [0.5, 0.38, 0.62, 0.26, 0.74, 0.16, 0.84];

function middleFirst(segments: readonly Segment[]): Segment[] {
  const middle = (segments.length - 1) / 2;
  return segments.map((segment, index) => ({ segment, far: Math.abs(index - middle) })).sort((a, b) => a.far - b.far).map(({ segment }) => segment);
}

function pointOn([a, b, c, d]: Segment, t: number): Point {
  const s = 1 - t;
  const at = (p: number, q: number, r: number, u: number): number => s * s * s * p + 3 * s * s * t * q + 3 * s * t * t * r + t * t * t * u;
  return { x: at(a.x, b.x, c.x, d.x), y: at(a.y, b.y, c.y, d.y) };
}

interface Rectangle { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
const labelBox = (x: number, y: number, width: number): Rectangle => ({ x: x - width / 2, y: y - LABEL.height / 2, width, height: LABEL.height });

/** Rectangles that are taken, by horizontal strips, so that a question looks at few of them. */
class Shelves {
  private static readonly HEIGHT = 32;
  private readonly strips = new Map<number, Rectangle[]>();

  put(box: Rectangle): void {
    for (const strip of this.stripsOf(box)) (this.strips.get(strip) ?? this.strips.set(strip, []).get(strip)!).push(box);
  }

  isFree(box: Rectangle): boolean {
    return !this.stripsOf(box).some((strip) => this.strips.get(strip)?.some((other) => other.x < box.x + box.width && box.x < other.x + other.width && other.y < box.y + box.height && box.y < other.y + other.height));
  }

  private stripsOf({ y, height }: Rectangle): number[] {
    const first = Math.floor(y / Shelves.HEIGHT), last = Math.floor((y + height) / Shelves.HEIGHT);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }
}
