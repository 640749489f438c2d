/** One action: what it was, how it ended, its path and its trace. */
import type { ActionView, PlaceView } from '../../server/protocol.js';
import { ALL, stagesOf, visibleSteps, type Move } from './model.js';
import { Path } from './path.js';
import { StepDetail } from './step-detail.js';
import { Steps } from './steps.js';
import { SIGNS, outcomeOf, toneOf } from './words.js';

interface Properties {
  readonly action: ActionView;
  readonly step: number;
  readonly stage: string;
  readonly selectStep: (step: number) => void;
  readonly moveStep: (by: Move) => void;
  readonly selectStage: (stage: string) => void;
  readonly reveal: (place: PlaceView | undefined, focus: boolean) => void;
}

export function Action({ action, step, stage, selectStep, moveStep, selectStage, reveal }: Properties) {
  const selected = action.trace[step];
  return (
    <section class="one" aria-label="Selected action">
      <Heading action={action} reveal={reveal} />
      {action.path.length > 0 && <Path action={action} step={step} selectStep={selectStep} />}
      {selected
        ? (
          <>
            <div class="trace-bar">
              <h2>Trace</h2>
              <StageFilter action={action} stage={stage} selectStage={selectStage} />
            </div>
            <Steps action={action} visible={visibleSteps(action, stage)} step={step} selectStep={selectStep} moveStep={moveStep} reveal={reveal} />
            <StepDetail step={selected} number={step} count={action.trace.length} reveal={reveal} />
          </>
        )
        : <p class="nothing">{action.good ? 'It went through without anything to tell.' : 'There is no trace of it.'}</p>}
    </section>
  );
}

function Heading({ action, reveal }: Pick<Properties, 'action' | 'reveal'>) {
  const { text, call, place, expectation, messages, bypassedIommu } = action;
  const tone = toneOf(action);
  return (
    <header class={`heading ${tone}`}>
      <h1><span class="sign" aria-hidden="true">{SIGNS[tone]}</span><code>{text}</code></h1>
      <p class="facts">
        <span class={`badge ${tone}`}>{outcomeOf(action)}</span>
        {call && <span><code>{call}</code></span>}
        {bypassedIommu && <span class="warn">No IOMMU has seen it.</span>}
        {expectation && <span class={expectation.met ? '' : 'unmet'}>{expectation.met ? `as expected: ${expectation.expected}` : `expected ${expectation.expected}, but it was ${expectation.actual}`}</span>}
        {place && <button type="button" class="link" onClick={() => reveal(place, true)}>line {place.range.start.line + 1}</button>}
      </p>
      {messages.length > 0 && <pre class="log" aria-label="Kernel log" tabindex={0}>{messages.join('\n')}</pre>}
    </header>
  );
}

function StageFilter({ action, stage, selectStage }: Pick<Properties, 'action' | 'stage' | 'selectStage'>) {
  const stages = stagesOf(action);
  if (stages.length < 2) return null;
  return (
    <label class="filter">Show
      <select value={stage} onChange={({ currentTarget }) => selectStage(currentTarget.value)}>
        <option value={ALL}>all steps ({action.trace.length})</option>
        {stages.map((name) => <option key={name} value={name}>{name} ({visibleSteps(action, name).length})</option>)}
      </select>
    </label>
  );
}
