/** The IOMMU groups of a host. */
import type { HostView, PlaceView } from '../../server/protocol.js';

export function Groups({ host, reveal }: { readonly host: HostView; readonly reveal: (place: PlaceView | undefined, focus: boolean) => void }) {
  return (
    <section class="groups" aria-label={`IOMMU groups of ${host.name}`} tabindex={0}>
      <h2>{host.groups.length} groups of {host.name} <small>kernel {host.kernel}</small></h2>
      <table>
        <thead><tr><th scope="col">Group</th><th scope="col">Members</th><th scope="col">Default domain</th></tr></thead>
        <tbody>
          {host.groups.map(({ number, members, domain }) => (
            <tr key={number}>
              <th scope="row">{number}</th>
              <td>
                <ul>
                  {members.map(({ name, address, place }) => (
                    <li key={address}><code>{address}</code> {place ? <button type="button" class="link" onClick={() => reveal(place, true)}>{name}</button> : name}</li>
                  ))}
                </ul>
              </td>
              <td>{domain}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
