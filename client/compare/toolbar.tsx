/** Which run, which models, steps and differences, the drawing as a file. */
import type { Commands } from './app.js';
import { tell } from './editor.js';
import { runOf, type Change, type Model } from './model.js';

interface Properties {
  readonly model: Model;
  readonly commands: Commands;
  readonly dispatch: (event: Change) => void;
}

export function Toolbar({ model, commands, dispatch }: Properties) {
  const comparison = model.comparison!;
  const rows = runOf(model)?.rows ?? [];
  const differing = rows.filter(({ differences }) => differences.length > 0).length;
  return (
    <header>
      <h1 class="for-ears">{comparison.title}: {comparison.models[0].title} and {comparison.models[1].title}</h1>
      <div class="toolbar" role="toolbar" aria-label="Comparison">
        <select aria-label="Run" class="runs" value={String(model.run)} onChange={({ currentTarget }) => dispatch({ type: 'run', run: Number(currentTarget.value) })}>
          {comparison.runs.map(({ name, kind }, index) => <option key={index} value={String(index)}>{kind === 'host' ? `On ${name}` : name}</option>)}
        </select>
        <ModelChoice side={0} model={model} /><span aria-hidden="true">≟</span><ModelChoice side={1} model={model} />
        <span class="tally">{differing === 0 ? 'no difference' : `${differing} of ${rows.length} steps differ`}</span>
        <span class="gap" />
        <button type="button" onClick={commands.previous} disabled={model.row === 0} title="Previous step (←)">‹<span class="for-ears"> Previous step</span></button>
        <span class="tally">{rows.length === 0 ? '' : `${model.row + 1} / ${rows.length}`}</span>
        <button type="button" onClick={commands.next} disabled={model.row >= rows.length - 1} title="Next step (→)">›<span class="for-ears"> Next step</span></button>
        <button type="button" onClick={commands.nextDifference} disabled={differing === 0} title="Next step that differs (d)">Next difference</button>
        <button type="button" onClick={commands.save} disabled={rows.length === 0} title="Save this step as an SVG file (s)">SVG</button>
        <button type="button" onClick={commands.help} title="Keys (?)">?<span class="for-ears"> Keys</span></button>
      </div>
    </header>
  );
}

function ModelChoice({ side, model }: { readonly side: 0 | 1; readonly model: Model }) {
  const { models, choices } = model.comparison!;
  const choose = (name: string) => tell({ type: 'models', models: side === 0 ? [name, models[1].name] : [models[0].name, name] });
  return (
    <select aria-label={side === 0 ? 'Left model' : 'Right model'} value={models[side].name} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      {choices.map(({ name, title }) => <option key={name} value={name} title={title}>{name}</option>)}
    </select>
  );
}
