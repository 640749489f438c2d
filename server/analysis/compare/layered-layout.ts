/**
 * Places boxes in layers, as Sugiyama, Tagawa and Toda taught it: layers are given; a link over several of them is a chain of
 * small joints, one in each layer between; boxes and joints of a layer are ordered by where their neighbours are, then moved
 * towards them without overlap. Units are pixels at scale 1.
 */
import { BOX, type Placed } from './box.js';
import { drawLinks, type DrawnLink, type Route } from './link-curves.js';

export interface LayoutNode { readonly id: string; readonly layer: number }
export interface LayoutLink { readonly from: string; readonly to: string; readonly label: string }

export interface LayeredLayout {
  readonly width: number;
  readonly height: number;
  readonly places: readonly Placed[];
  readonly links: readonly DrawnLink[];
}

const JOINT_WIDTH = 18;
const GAP = { x: 20, y: 46 } as const;
const MARGIN = 14;
const SWEEPS = 8;

/** Boxes first, by index, then joints. `x` is the middle. */
interface Chart {
  readonly layers: readonly number[][];
  readonly layerOf: number[];
  readonly neighbours: number[][];
  readonly isJoint: boolean[];
  /** Of each link: its box, its joints downwards or upwards, its other box. */
  readonly chains: readonly (readonly number[])[];
}

export function layOut(nodes: readonly LayoutNode[], links: readonly LayoutLink[]): LayeredLayout {
  const chart = chartOf(nodes, links);
  order(chart);
  const x = spread(chart);
  const y = chart.layerOf.map((layer) => MARGIN + layer * (BOX.height + GAP.y));
  const places = nodes.map((_, index): Placed => ({ x: Math.round(x[index]! - BOX.width / 2), y: y[index]! }));
  const routes = chart.chains.map((chain): Route => chain.map((each) => ({ x: x[each]!, top: y[each]!, bottom: y[each]! + BOX.height, box: chart.isJoint[each]! ? null : each })));
  return {
    width: Math.round(Math.max(BOX.width, ...x.map((middle, index) => middle + widthOf(chart, index) / 2)) + MARGIN),
    height: 2 * MARGIN + Math.max(1, chart.layers.length) * (BOX.height + GAP.y) - GAP.y,
    places, links: drawLinks(routes, links.map(({ label }) => label), places),
  };
}

function chartOf(nodes: readonly LayoutNode[], links: readonly LayoutLink[]): Chart {
  // Layers that nothing is in are not drawn.
  const rows = new Map([...new Set(nodes.map(({ layer }) => layer))].sort((a, b) => a - b).map((layer, row) => [layer, row]));
  const indexOf = new Map(nodes.map(({ id }, index) => [id, index]));
  const layerOf = nodes.map(({ layer }) => rows.get(layer)!);
  const chart = { layers: [...rows].map((): number[] => []), layerOf, neighbours: nodes.map((): number[] => []), isJoint: nodes.map(() => false) };
  layerOf.forEach((layer, node) => chart.layers[layer]!.push(node));
  return { ...chart, chains: links.map(({ from, to }) => chain(chart, indexOf.get(from)!, indexOf.get(to)!)) };
}

/** The boxes of a link with a new joint in each layer between them. */
function chain(chart: Omit<Chart, 'chains'>, from: number, to: number): number[] {
  const { layers, layerOf, neighbours, isJoint } = chart;
  const step = Math.sign(layerOf[to]! - layerOf[from]!);
  const members = [from];
  for (let layer = layerOf[from]! + step; step !== 0 && layer !== layerOf[to]!; layer += step) {
    const joint = layerOf.push(layer) - 1;
    neighbours.push([]);
    isJoint.push(true);
    layers[layer]!.push(joint);
    members.push(joint);
  }
  members.push(to);
  for (let i = 1; i < members.length; i++) {
    neighbours[members[i - 1]!]!.push(members[i]!);
    neighbours[members[i]!]!.push(members[i - 1]!);
  }
  return members;
}

const widthOf = ({ isJoint }: Chart, index: number): number => (isJoint[index]! ? JOINT_WIDTH : BOX.width);

/** Barycentre ordering, downwards and upwards in turn. Ties keep their order, so equal graphs look equal. */
function order({ layers, neighbours }: Chart): void {
  const at: number[] = [];
  const remember = (layer: readonly number[]): void => layer.forEach((node, index) => (at[node] = (index + 0.5) / layer.length));
  layers.forEach(remember);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of sweep % 2 === 0 ? layers : [...layers].reverse()) {
      const wanted = new Map(layer.map((node) => [node, mean(neighbours[node]!, at) ?? at[node]!]));
      layer.sort((a, b) => wanted.get(a)! - wanted.get(b)!);
      remember(layer);
    }
  }
}

function mean(indices: readonly number[], values: readonly number[]): number | undefined {
  return indices.length === 0 ? undefined : indices.reduce((sum, index) => sum + values[index]!, 0) / indices.length;
}

/** Middle of each box and joint: near the mean of its neighbours, in the order of its layer. */
function spread(chart: Chart): number[] {
  const { layers, neighbours, isJoint } = chart;
  const x = new Array<number>(isJoint.length).fill(0);
  const gaps = layers.map((layer) => layer.map((node, index) => (index === 0 ? 0 : (widthOf(chart, layer[index - 1]!) + widthOf(chart, node)) / 2 + GAP.x)));
  layers.forEach((layer, row) => {
    const total = gaps[row]!.reduce((sum, gap) => sum + gap, 0);
    let at = -total / 2;
    layer.forEach((node, index) => (x[node] = at += gaps[row]![index]!));
  });
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const rows = layers.map((_, row) => row);
    for (const row of sweep % 2 === 0 ? rows.reverse() : rows) {
      const wanted = layers[row]!.map((node) => mean(neighbours[node]!, x) ?? x[node]!);
      settle(wanted, gaps[row]!).forEach((place, index) => (x[layers[row]![index]!] = place));
    }
  }
  const left = Math.min(...x.map((middle, index) => middle - widthOf(chart, index) / 2));
  return x.map((middle) => middle - left + MARGIN);
}

/** Places at least their gaps apart, close to those wanted: pushed right, pushed left, the middle of the two. */
function settle(wanted: readonly number[], gaps: readonly number[]): number[] {
  const right: number[] = [];
  wanted.forEach((place, index) => right.push(index === 0 ? place : Math.max(place, right[index - 1]! + gaps[index]!)));
  const left = [...wanted];
  for (let i = wanted.length - 2; i >= 0; i--) left[i] = Math.min(wanted[i]!, left[i + 1]! - gaps[i + 1]!);
  return right.map((place, index) => (place + left[index]!) / 2);
}
