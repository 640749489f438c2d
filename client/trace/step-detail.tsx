/** One step in full: the words bit by bit, the fields, the fault and what the kernel logs. */
import type { PlaceView, TraceStepView } from '../../server/protocol.js';
import { bitsOf, padWord, parseBits } from './bits.js';
import { Permission } from './steps.js';
import { kindOf } from './words.js';

interface Properties {
  readonly step: TraceStepView;
  readonly number: number;
  readonly count: number;
  readonly reveal: (place: PlaceView | undefined, focus: boolean) => void;
}

export function StepDetail({ step, number, count, reveal }: Properties) {
  const { place, address, permission, words = [], fields = [], messages = [], rules } = step;
  return (
    <section class={`detail ${step.kind}`} aria-label="Selected step" tabindex={0}>
      <h3><span class="count">Step {number + 1} of {count}</span> {step.entry ?? kindOf(step)}</h3>
      <p>{step.text}</p>
      <p class="facts">
        {step.stage && <span>{step.stage}{step.level === undefined ? '' : `, level ${step.level}`}</span>}
        {address && <span>at <code>{address}</code></span>}
        {step.code && <span>code <code>{step.code}</code></span>}
        {permission && <span>permission so far <Permission text={permission} /></span>}
        {rules.length > 0 && <span>rules {rules.join(', ')}</span>}
        {place && <button type="button" class="link" onClick={() => reveal(place, true)}>line {place.range.start.line + 1}</button>}
      </p>
      {messages.length > 0 && <pre class="log" aria-label="Kernel log">{messages.join('\n')}</pre>}
      {words.map((word, index) => <Word key={index} word={word} index={index} of={words.length} step={step} />)}
      {fields.length > 0 && <Fields step={step} />}
    </section>
  );
}

/** The 64 bits of a word: a cell each, filled when set, shaded by field. */
function Word({ word, index, of, step }: { readonly word: string; readonly index: number; readonly of: number; readonly step: TraceStepView }) {
  const ranges = (step.fields ?? []).map(({ bits }) => parseBits(bits)).filter((range) => range !== null && range.word === index);
  const fieldOf = (bit: number) => ranges.findIndex((range) => range !== null && range.low <= bit && bit <= range.high);
  return (
    <div class="word">
      <code>{of > 1 ? `q${index} ` : ''}{padWord(word)}</code>
      <svg viewBox="0 0 644 18" role="img" aria-label={`Bits of ${padWord(word)}`}>
        {bitsOf(word).map((set, position) => {
          const field = fieldOf(63 - position);
          const shade = field < 0 ? 'none' : field % 2 === 0 ? 'even' : 'odd';
          return <rect key={position} class={`bit ${shade}${set ? ' set' : ''}`} x={position * 10 + Math.floor(position / 16) * 1.2} y={1} width={8.6} height={16} rx={1.5} />;
        })}
      </svg>
    </div>
  );
}

function Fields({ step: { fields = [] } }: { readonly step: TraceStepView }) {
  return (
    <table class="fields">
      <caption class="for-ears">Decoded fields</caption>
      <thead><tr><th scope="col">Bits</th><th scope="col">Field</th><th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>
      <tbody>
        {fields.map(({ name, bits, value, meaning }) => (
          <tr key={`${bits} ${name}`}><td><code>{bits}</code></td><th scope="row">{name}</th><td><code>{value}</code></td><td>{meaning}</td></tr>
        ))}
      </tbody>
    </table>
  );
}
