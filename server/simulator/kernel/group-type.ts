/** Writes to /sys/kernel/iommu_groups/N/type (TYP-01 .. TYP-12): both eras of the rules. */
import { Refusal } from '../errno.js';
import { setUpChosenDomain, setUpDefaultDomain, type DomainMaker } from './default-domain.js';
import { groupType, withNeeds, type DefaultType } from './default-type.js';
import { TranslatedDomain } from './domains.js';
import type { IommuGroup } from './group.js';
import { deviceLine } from './log-lines.js';

const WORDS: ReadonlyMap<string, DefaultType | 'auto'> = new Map([['identity', 'identity'], ['DMA', 'DMA'], ['DMA-FQ', 'DMA-FQ'], ['auto', 'auto']]);

export interface Writer {
  has(capability: 'SYS_ADMIN' | 'SYS_RAWIO'): boolean;
}

/** @throws Refusal EACCES, EINVAL, EBUSY, EPERM */
export function writeGroupType(group: IommuGroup, word: string, writer: Writer, maker: DomainMaker): void {
  if (maker.profile.groupType === 'read-only') throw refuse('EACCES', 'TYP-01', 'the file of the type can only be read before 5.11');
  if (!writer.has('SYS_ADMIN') || !writer.has('SYS_RAWIO')) throw refuse('EACCES', 'TYP-01', 'writing the type takes CAP_SYS_ADMIN and CAP_SYS_RAWIO');
  const current = group.defaultDomain?.type;
  if (current === undefined) throw refuse('EINVAL', 'TYP-02', `IOMMU group ${group.id} has no default domain`);
  const asked = askedType(word, maker);
  const becomesLazy = asked === 'DMA-FQ' && current === 'DMA'; // TYP-04: drivers and owners do not matter
  if (maker.profile.groupType === 'single-unbound') checkSingleUnbound(group, becomesLazy, maker);
  else if (!becomesLazy) checkUnowned(group);
  if (becomesLazy) return goLazy(group);
  const type = groupType(group, asked === 'auto' ? null : asked, maker);
  if (type === null) throw new Refusal('EINVAL', 'TYP-09', `a device of IOMMU group ${group.id} needs another type than ${word}`, withNeeds(group, maker)); // TYP-11: one that is not trusted needs DMA
  if (type === current) return; // TYP-10
  if (asked === 'auto') setUpChosenDomain(group, type, maker);
  else setUpDefaultDomain(group, type, maker);
}

/** TYP-03. */
function askedType(word: string, maker: DomainMaker): DefaultType | 'auto' {
  const asked = WORDS.get(word);
  if (asked === undefined || (asked === 'DMA-FQ' && !maker.profile.lazyType)) throw refuse('EINVAL', 'TYP-03', `"${word}" is no type of a group`);
  return asked;
}

/** TYP-04: strict to lazy works on the live domain, drivers or not. */
function goLazy(group: IommuGroup): void {
  if (group.defaultDomain instanceof TranslatedDomain) group.defaultDomain.makeLazy();
}

/** TYP-05 .. TYP-07 up to 6.3: one device, without driver, on its default domain. */
function checkSingleUnbound(group: IommuGroup, becomesLazy: boolean, maker: DomainMaker): void {
  const [only, ...others] = group.devices;
  const say = (text: string): void => void maker.log.push(only === undefined ? text : deviceLine(only, text));
  if (only === undefined || others.length > 0) {
    maker.log.push('iommu: Cannot change default domain: Group has more than one device');
    throw refuse('EINVAL', 'TYP-05', `IOMMU group ${group.id} has ${group.devices.length} devices`, group);
  }
  if (becomesLazy) return;
  if (only.driver !== null) {
    say('Device is still bound to driver');
    throw refuse('EBUSY', 'TYP-06', `${only.name} is still bound to ${only.driver}`, group);
  }
  if (group.domain !== group.defaultDomain) {
    say('Group not assigned to default domain');
    throw refuse('EBUSY', 'TYP-07', `IOMMU group ${group.id} is not on its default domain`, group);
  }
}

/** TYP-05, TYP-06 since 6.5 (OWN-08: host drivers count as well): nobody may own the group, neither a user nor a driver that does DMA. */
function checkUnowned(group: IommuGroup): void {
  if (group.devices.length === 0) throw refuse('EPERM', 'TYP-05', `IOMMU group ${group.id} is empty`);
  if (group.ownerCount !== 0) throw refuse('EPERM', 'TYP-06', `IOMMU group ${group.id} is in use by ${group.owner === null ? 'a driver' : 'a user'}`, group);
}

const refuse = (errno: 'EACCES' | 'EINVAL' | 'EBUSY' | 'EPERM', rule: string, reason: string, group?: IommuGroup): Refusal =>
  new Refusal(errno, rule, reason, group?.devices.map((device) => device.subject));
