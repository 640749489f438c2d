/** The debug type "iommu": sessions, and what may be looked at while one is stopped. */
import { DebugAdapterInlineImplementation, DebugConfigurationProviderTriggerKind, Disposable, EvaluatableExpression, debug, languages } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { ForwardingAdapter } from './adapter.js';
import { Configurations, configurationsOfActiveFile } from './configurations.js';

export function provideDebugger(client: BaseLanguageClient): Disposable {
  return Disposable.from(
    debug.registerDebugAdapterDescriptorFactory('iommu', { createDebugAdapterDescriptor: ({ id }) => new DebugAdapterInlineImplementation(new ForwardingAdapter(client, id)) }),
    debug.registerDebugConfigurationProvider('iommu', new Configurations(client)),
    debug.registerDebugConfigurationProvider('iommu', { provideDebugConfigurations: () => configurationsOfActiveFile(client) }, DebugConfigurationProviderTriggerKind.Dynamic),
    languages.registerEvaluatableExpressionProvider('iommu', {
      provideEvaluatableExpression(document, position) {
        const range = document.getWordRangeAtPosition(position);
        return range && new EvaluatableExpression(range);
      },
    }),
  );
}
