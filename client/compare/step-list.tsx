/** The steps of a run, as the file says them, with a sign at those where the models part. */
import { useEffect, useRef } from 'preact/hooks';
import type { ComparedRunView } from '../../server/protocol-compare.js';

interface Properties {
  readonly run: ComparedRunView;
  readonly row: number;
  readonly select: (row: number) => void;
  readonly reveal: () => void;
}

export function StepList({ run, row, select, reveal }: Properties) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' }), [row, run]);
  return (
    <nav class="list" aria-label="Steps of the run">
      <div ref={list} class="scroll" role="listbox" tabindex={0} aria-label="Steps" aria-activedescendant={`step-${row}`}>
        {run.rows.map(({ text, phase, differences }, index) => (
          <div key={index} id={`step-${index}`} class={`step${differences.length > 0 ? ' differs' : ''}`} role="option" aria-selected={index === row} onClick={() => select(index)} onDblClick={reveal} title={text}>
            <span class="sign" aria-hidden="true">{differences.length > 0 ? '≠' : ''}</span>
            <span class="text">{text}</span>
            <span class="phase">{phase}</span>
            {differences.length > 0 && <span class="for-ears">, {differences.length} {differences.length === 1 ? 'difference' : 'differences'}</span>}
          </div>
        ))}
      </div>
    </nav>
  );
}
