/** Which row of the property table a property statement is read by. */
import type { SimpleProperty } from './generated/ast.js';
import type { Holder } from './properties.js';

const HOLDERS: Readonly<Record<string, Holder>> = { PciFunction: 'function', Iommu: 'iommu', PlatformDevice: 'platform', MediatedDevice: 'mdev' };

export function holderOf(property: SimpleProperty): Holder {
  const { $container: container } = property;
  if (container.$type === 'Owner') return container.kind === 'vm' ? 'vm' : 'process';
  return HOLDERS[container.$type] ?? 'function';
}
