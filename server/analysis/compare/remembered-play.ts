/** Runs of one file under models, remembered by value: an edit, or another model on one side, plays what it changes and no more. */
import type { HostDescription, MachineDescription, ScenarioDescription, SubjectId } from '../../simulator/description.js';
import { same } from '../same.js';
import type { PlayedRun } from './play.js';

/** All that a run depends on; what comes from the file that it is not of is left out. */
export interface RunInputs extends Pick<MachineDescription, 'owners' | 'pasidSets'> {
  readonly host: HostDescription;
  /** Of a host's own run. */
  readonly questions?: MachineDescription['questions'];
  readonly domains?: MachineDescription['domains'];
  /** Of a scenario. */
  readonly scenario?: ScenarioDescription;
}

interface Remembered {
  readonly inputs: RunInputs;
  readonly run: PlayedRun;
}

/** Of one model. */
export class PlayedRuns {
  private last = new Map<SubjectId, Remembered>();
  private next = new Map<SubjectId, Remembered>();
  private lastHosts = new Map<SubjectId, HostDescription>();

  /** An equal host stays the same object, so that comparing it again costs nothing. */
  host(host: HostDescription): HostDescription {
    const last = this.lastHosts.get(host.id);
    if (last !== undefined && same(last, host)) return last;
    this.lastHosts.set(host.id, host);
    return host;
  }

  recall(subject: SubjectId, inputs: RunInputs, play: () => PlayedRun): PlayedRun {
    const known = [this.next.get(subject), this.last.get(subject)].find((each) => each !== undefined && same(each.inputs, inputs));
    const remembered = known ?? { inputs, run: play() };
    this.next.set(subject, remembered);
    return remembered.run;
  }

  /** Forgets what was not asked for since the last time. */
  endRound(): void {
    this.last = this.next;
    this.next = new Map();
  }
}

/** Of one file; the models that it was compared under last. */
export class PlayedModels {
  private ofModels = new Map<string, PlayedRuns>();

  /** Both sides may be of one model: they share what they remember. */
  of(models: readonly string[]): PlayedRuns[] {
    this.ofModels = new Map(models.map((model) => [model, this.ofModels.get(model) ?? new PlayedRuns()]));
    return models.map((model) => this.ofModels.get(model)!);
  }
}
