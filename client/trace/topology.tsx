/** The devices of a host as a drawn tree, with the way highlighted that joins a group or keeps it apart. */
import type { GroupView, HostView, PlaceView } from '../../server/protocol.js';
import { BOX, layOutTopology, type PlacedBox, type PlacedLine } from './topology-layout.js';

interface Properties {
  readonly host: HostView;
  readonly group: GroupView | undefined;
  readonly reveal: (place: PlaceView | undefined, focus: boolean) => void;
}

export function Topology({ host, group, reveal }: Properties) {
  const { width, height, boxes, lines, hidden } = layOutTopology(host, group);
  const highlighted = boxes.filter(({ onWay }) => onWay).map(({ index }) => nameOf(host, index)).join(', ');
  return (
    <figure class="topology" role="region" aria-label="Topology" tabindex={0}>
      <svg id="topology" class="drawing" role="group" aria-label={group ? `Devices of ${host.name}; the way of group ${group.number}: ${highlighted}` : `Devices of ${host.name}`}
        viewBox={`0 0 ${width} ${height}`} style={{ width: `${width}px`, minWidth: `${Math.round(width * 0.7)}px` }}>
        {lines.filter(({ onWay }) => !onWay).map((line) => <Line key={line.to.index} line={line} />)}
        {lines.filter(({ onWay }) => onWay).map((line) => <Line key={line.to.index} line={line} />)}
        {boxes.map((box) => <Box key={box.index ?? 'root'} host={host} box={box} group={group} reveal={reveal} />)}
      </svg>
      {hidden > 0 && <figcaption>{hidden} other devices are not drawn.</figcaption>}
    </figure>
  );
}

function Line({ line: { from, to, onWay } }: { readonly line: PlacedLine }) {
  const start = from.x + BOX.width, middle = start + BOX.gapX / 2;
  return <path class={`branch${onWay ? ' way' : ''}`} d={`M${start} ${from.y + BOX.height / 2}H${middle}V${to.y + BOX.height / 2}H${to.x}`} />;
}

function Box({ host, box, group, reveal }: Properties & { readonly box: PlacedBox }) {
  const node = box.index === null ? undefined : host.topology[box.index];
  const place = node?.place;
  const choose = () => reveal(place, true);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    choose();
  };
  const [name, small] = node === undefined ? ['root complex', ''] : [shorten(node.name), smallLine(node.address, node.group)];
  const number = box.facts.length > 1 ? `${box.facts[0]}+` : box.facts.map(String).join('');
  // The words on the box come first: people who speak to their computer say what they see.
  const label = [[name, small, number].filter(Boolean).join(' '), box.member && group ? `member of group ${group.number}` : '', box.facts.length > 0 ? `fact ${box.facts.join(' and ')}` : ''].filter(Boolean).join(', ');
  const button = place ? { role: 'button', tabindex: 0, onClick: choose, onKeyDown } as const : { role: 'img' } as const;
  const classes = ['box', node?.kind ?? 'root', box.member && 'member', box.facts.length > 0 && 'blamed', box.onWay && 'way'].filter(Boolean).join(' ');
  return (
    <g {...button} class={classes} aria-label={label} transform={`translate(${box.x} ${box.y})`}>
      <rect class="shape" width={BOX.width} height={BOX.height} rx={node === undefined || node.kind === 'port' || node.kind === 'bridge' ? 2 : 9} />
      <text class="label" x={10} y={small ? 15 : 21}>{name}</text>{' '}
      {small && <text class="kind" x={10} y={28}>{small}</text>}
      {' '}
      {number && <g class="numbers"><circle cx={BOX.width} cy={4} r={9} /><text x={BOX.width} y={8}>{number}</text></g>}
    </g>
  );
}

const LONGEST = 18;
const shorten = (name: string): string => (name.length <= LONGEST ? name : `${name.slice(0, LONGEST - 1)}…`);
const smallLine = (address: string, group: number | null): string => [address.replace(/^0000:/, ''), group === null ? 'no group' : `group ${group}`].filter(Boolean).join(' · ');
const nameOf = (host: HostView, index: number | null): string => (index === null ? 'root complex' : host.topology[index]!.name);
