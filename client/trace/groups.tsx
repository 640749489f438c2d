/** The IOMMU groups of a host: drawn, with the facts that merged or split the chosen one, and listed. */
import type { GroupView, HostView, PlaceView } from '../../server/protocol.js';
import { Topology } from './topology.js';
import { factsOf } from './topology-layout.js';

interface Properties {
  readonly host: HostView;
  /** Number of the group to explain. */
  readonly chosen: number | null;
  readonly choose: (group: number) => void;
  readonly reveal: (place: PlaceView | undefined, focus: boolean) => void;
}

export function Groups({ host, chosen, choose, reveal }: Properties) {
  const group = host.groups.find(({ number }) => number === chosen) ?? firstOfInterest(host.groups);
  return (
    <section class="groups" aria-label={`IOMMU groups of ${host.name}`} tabindex={0}>
      <h2>{host.groups.length} groups of {host.name} <small>kernel {host.kernel}</small></h2>
      <Topology host={host} group={group} reveal={reveal} />
      {group && <Why group={group} host={host} reveal={reveal} />}
      <table>
        <thead><tr><th scope="col">Group</th><th scope="col">Members</th><th scope="col">Default domain</th></tr></thead>
        <tbody>{host.groups.map((each) => <Row key={each.number} group={each} pressed={each === group} choose={choose} reveal={reveal} />)}</tbody>
      </table>
    </section>
  );
}

/** The first group of several devices, else the first. */
const firstOfInterest = (groups: readonly GroupView[]): GroupView | undefined => groups.find(({ members }) => members.length > 1) ?? groups[0];

/** The chain of facts; numbers are those in the drawing. */
function Why({ group, host, reveal }: Pick<Properties, 'host' | 'reveal'> & { readonly group: GroupView }) {
  const facts = factsOf(group);
  return (
    <div class="why" role="status">
      <h3>Why group {group.number} is {group.members.map(({ name }) => name).join(', ')}{group.uncertain && <small>a fact that it depends on is not known</small>}</h3>
      <ol>
        {facts.map(({ text, rules, node, members }, index) => {
          const place = node === undefined ? undefined : host.topology[node]?.place;
          return (
            <li key={index}>
              {facts.length > 1 && group.members.length > 1 && <span class="about">{members.length === group.members.length ? 'all' : members.join(', ')}: </span>}
              {place ? <button type="button" class="link" onClick={() => reveal(place, true)}>{text}</button> : text} <small>{rules.join(' ')}</small>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Row({ group, pressed, choose, reveal }: Pick<Properties, 'choose' | 'reveal'> & { readonly group: GroupView; readonly pressed: boolean }) {
  return (
    <tr class={pressed ? 'chosen' : ''}>
      <th scope="row"><button type="button" aria-pressed={pressed} aria-label={`Group ${group.number}: show why`} onClick={() => choose(group.number)}>{group.number}</button></th>
      <td>
        <ul>
          {group.members.map(({ name, address, place }) => (
            <li key={address || name}><code>{address}</code> {place ? <button type="button" class="link" onClick={() => reveal(place, true)}>{name}</button> : name}</li>
          ))}
        </ul>
      </td>
      <td>{group.domain}</td>
    </tr>
  );
}
