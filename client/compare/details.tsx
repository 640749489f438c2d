/** Below the drawings: what differs at this step and why, the chosen object, what each model checks, how devices got their domains. */
import type { PlaceView } from '../../server/protocol.js';
import { detailsAt, type CheckView, type ComparedRunView, type ComparisonView, type DeviceStoryView, type DifferenceView } from '../../server/protocol-compare.js';
import type { ChosenBox } from './model.js';

type Reveal = (place: PlaceView | undefined, focus: boolean) => void;

interface Properties {
  readonly comparison: ComparisonView;
  readonly run: ComparedRunView;
  readonly row: number;
  readonly box: ChosenBox | null;
  readonly reveal: Reveal;
  readonly goTo: (row: number) => void;
}

export function Details({ comparison, run, row, box, reveal, goTo }: Properties) {
  const { differences, sides, place, text } = run.rows[row]!;
  return (
    <div class="details" role="region" aria-label="About this step" tabindex={0} data-scrolls>
      <h2>{place ? <button type="button" class="link" onClick={() => reveal(place, true)}>Line {place.range.start.line + 1}</button> : `Step ${row + 1}`}: <code>{text}</code></h2>
      {run.notes.map((note) => <p key={note} class="note" role="note">{note}</p>)}
      {box && <Object run={run} row={row} box={box} reveal={reveal} />}
      {differences.length === 0 ? <p class="faint">Both models do the same here.</p> : <ul class="differences">{differences.map((each, index) => <Difference key={index} difference={each} reveal={reveal} />)}</ul>}
      <table class="checks">
        <caption>What each model checks here</caption>
        <thead><tr>{comparison.models.map(({ name }) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody><tr>{sides.map(({ checks, calls }, index) => <td key={index}><Checks checks={checks} />{calls.flatMap(({ why }) => why).map(({ text: said, rules }, at) => <p key={at} class="said">{said} <span class="rules">{rules.join(' ')}</span></p>)}</td>)}</tr></tbody>
      </table>
      {run.devices.length > 0 && <Devices devices={run.devices} comparison={comparison} row={row} reveal={reveal} goTo={goTo} />}
    </div>
  );
}

const KINDS: Readonly<Record<DifferenceView['kind'], string>> = { answer: 'other answer', check: 'checked elsewhere', objects: 'other objects', call: 'no such call' };

function Difference({ difference: { kind, text, reason, rules, place }, reveal }: { readonly difference: DifferenceView; readonly reveal: Reveal }) {
  return (
    <li class="difference">
      <span class="badge">{KINDS[kind]}</span> <strong>{text}</strong>
      <p>{reason} <span class="rules">{rules.join(' ')}</span>{place && <> <button type="button" class="link" onClick={() => reveal(place, true)}>line {place.range.start.line + 1}</button></>}</p>
    </li>
  );
}

function Checks({ checks }: { readonly checks: readonly CheckView[] }) {
  if (checks.length === 0) return <p class="faint">nothing</p>;
  return <ul>{checks.map(({ what, errno, rules, refused }) => <li key={what} class={refused ? 'refused' : ''}>{refused ? '✗ ' : ''}whether {what}, else {errno} <span class="rules">{rules.join(' ')}</span></li>)}</ul>;
}

function Object({ run, row, box: { side, box }, reveal }: { readonly run: ComparedRunView; readonly row: number; readonly box: ChosenBox; readonly reveal: Reveal }) {
  const view = run.sides[side].boxes[box];
  const details = detailsAt(run.sides[side], row).get(box);
  if (!view) return null;
  return (
    <section class="object" aria-label="Chosen object">
      <h3>{view.kind} {view.label} {view.place && <button type="button" class="link" onClick={() => reveal(view.place, true)}>line {view.place.range.start.line + 1}</button>}</h3>
      <dl>{details?.facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      {details && details.mappings.length > 0 && <ul class="mappings">{details.mappings.map((mapping, index) => <li key={index}><code>{mapping}</code></li>)}</ul>}
    </section>
  );
}

function Devices({ devices, comparison, row, reveal, goTo }: Pick<Properties, 'comparison' | 'row' | 'goTo'> & { readonly devices: readonly DeviceStoryView[]; readonly reveal: Reveal }) {
  return (
    <table class="devices">
      <caption>How each device got its domain</caption>
      <thead><tr><th scope="col">device</th>{comparison.models.map(({ name }) => <th key={name} scope="col">{name}</th>)}</tr></thead>
      <tbody>
        {devices.map(({ device, kind, place, sides }) => (
          <tr key={device}>
            <th scope="row">{place ? <button type="button" class="link" onClick={() => reveal(place, true)}>{device}</button> : device}<small>{kind}</small></th>
            {sides.map(({ domain, moments }, side) => (
              <td key={side}>
                <b>{domain}</b>
                <ol>{moments.map((moment, index) => <li key={index} class={moment.row === row ? 'now' : ''}><button type="button" class="link" onClick={() => goTo(moment.row)}>step {moment.row + 1}</button> {moment.text} <span class="rules">{moment.rules.join(' ')}</span></li>)}</ol>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
