/** Asks the server for the simulation of a file, and tells when there is a newer one. */
import { Disposable, EventEmitter, Uri, type Event } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { SIMULATED_NOTIFICATION, SIMULATE_REQUEST, groupsId, type ActionView, type SimulateParams, type SimulatedParams, type SimulationView } from '../server/protocol.js';

export class Simulations implements Disposable {
  readonly #client: BaseLanguageClient;
  readonly #changed = new EventEmitter<string>();
  readonly #subscription: Disposable;
  /** Fires with the URI of a file that was simulated anew. */
  readonly onDidChange: Event<string> = this.#changed.event;

  constructor(client: BaseLanguageClient) {
    this.#client = client;
    this.#subscription = client.onNotification(SIMULATED_NOTIFICATION, ({ uri }: SimulatedParams) => this.#changed.fire(normalUri(uri)));
  }

  /** @throws When the server is not running or cannot read the file. */
  of(uri: string): Promise<SimulationView | null> {
    const params: SimulateParams = { uri };
    return this.#client.sendRequest<SimulationView | null>(SIMULATE_REQUEST, params);
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }
}

/** One spelling per file: the editor and the server escape differently. */
export const normalUri = (uri: string): string => Uri.parse(uri).toString();

/** What the view selects for the function on a line: its group. */
export function groupOnLine(simulation: SimulationView, uri: string, line: number): string | undefined {
  for (const { name, topology } of simulation.hosts) {
    const node = topology.find(({ place }) => place?.range.start.line === line && normalUri(place.uri) === uri);
    if (node && node.group !== null) return groupsId(name, node.group);
  }
  return undefined;
}

/** The first action whose statement is on a line, of the kinds asked for. */
export function actionOnLine(simulation: SimulationView, uri: string, line: number, kinds: readonly ActionView['kind'][]): ActionView | undefined {
  for (const { actions } of simulation.runs) {
    for (const action of actions) {
      const { place } = action;
      if (place && kinds.includes(action.kind) && place.range.start.line <= line && line <= place.range.end.line && normalUri(place.uri) === uri) return action;
    }
  }
  return undefined;
}
