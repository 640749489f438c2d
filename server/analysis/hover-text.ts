/** What a hover says of a described thing: effective mappings, group with its reasons, owner. Markdown. */
import { addressText, type Facts } from '../diagnostics/facts.js';
import type { SubjectId } from '../simulator/description.js';
import { differencesFromNewest } from '../simulator/kernel/profile-differences.js';
import { profileFor, PROFILES, type KernelProfile } from '../simulator/kernel/profile.js';
import { hex } from '../simulator/memory/address.js';
import { sizeText } from '../simulator/memory/sizes.js';
import type { ActionReport, DeviceState, DomainState, GroupReport, MappingState, RunReport } from '../simulator/report.js';
import { faultCodeText } from '../simulator/trace/events.js';
import type { Analysis } from './analysis.js';

/** Mappings and reasons listed before "… and N more". */
const LISTED = 12;

/** Nothing to say of this subject: undefined. */
export function hoverText(analysis: Analysis, subject: SubjectId): string | undefined {
  const facts = analysis.facts;
  const device = deviceOf(analysis, subject);
  if (device !== undefined) return deviceText(facts, device);
  const action = actionOf(analysis, subject);
  if (action !== undefined) return actionText(action, analysis);
  return ownerText(facts, subject) ?? claimText(facts, subject) ?? kernelText(facts, subject) ?? domainStatementText(facts, subject);
}

/** A device, or the device that an `assign`, `group` or `attach` entry names. */
function deviceOf({ description }: Analysis, subject: SubjectId): SubjectId | undefined {
  const entries = [
    ...description.hosts.flatMap((host) => [...host.functions, ...host.platformDevices, ...host.mediatedDevices].map((each) => ({ id: each.id, device: each.id }))),
    ...description.owners.flatMap((owner) => owner.assigned),
    ...description.groupClaims.flatMap((claim) => claim.members),
  ];
  return entries.find((entry) => entry.id === subject)?.device;
}

const statesOf = (runs: readonly RunReport[], device: SubjectId): { run: RunReport; state: DeviceState }[] =>
  runs.flatMap((run) => run.final.devices.filter((state) => state.device === device).map((state) => ({ run, state })));

function deviceText(facts: Facts, device: SubjectId): string {
  const fn = facts.fn(device);
  const head = fn === undefined ? `**${facts.name(device)}**` : `**${fn.name}** \`${addressText(fn.address)}\` ${fn.type}${fn.label === undefined ? '' : `  \n${fn.label}`}`;
  const group = facts.group(device);
  const states = statesOf(facts.report.runs, device).slice(0, 3);
  return [head, group === undefined ? noGroupText(facts, device) : groupText(facts, device, group), ...states.map(({ run, state }) => stateText(run, state))].join('\n\n');
}

function noGroupText(facts: Facts, device: SubjectId): string {
  const why = facts.report.hosts.flatMap((host) => host.ungrouped).find((each) => each.device === device)?.why;
  return `No IOMMU group${why === undefined ? '' : `: ${why}`}.`;
}

function groupText(facts: Facts, device: SubjectId, group: GroupReport): string {
  const others = group.members.filter((member) => member !== device);
  const reasons = group.why.find((why) => why.device === device)?.reasons ?? [];
  const lines = [
    `**IOMMU group ${group.number}** (${group.defaultDomain})${others.length === 0 ? ', alone' : `, with ${listed(others.map((each) => facts.name(each)))}`}${group.uncertain ? ' — depends on unknown facts' : ''}`,
    ...reasons.slice(0, LISTED).map((reason) => `- ${reason.text}${reason.rules.length === 0 ? '' : ` _${reason.rules.join(', ')}_`}`),
    ...group.reserved.map((region) => `- reserved \`${region.line}\``),
  ];
  return lines.join('\n');
}

const listed = (names: readonly string[]): string => (names.length <= LISTED ? names.join(', ') : `${names.slice(0, LISTED).join(', ')} and ${names.length - LISTED} more`);

function stateText(run: RunReport, state: DeviceState): string {
  const domain = state.domain === null ? undefined : run.final.domains[state.domain];
  const owner = state.owner === null ? 'nobody' : state.owner;
  return `_${run.kind === 'host' ? 'on the host' : `after "${run.name}"`}_: driver ${state.driver ?? 'none'}, owner ${owner}, ${domain === undefined ? 'no translation' : domainText(domain)}`;
}

export function domainText(domain: DomainState): string {
  const head = `domain **${domain.name}** (${domain.type})`;
  if (domain.type === 'identity') return `${head}: every address is used as it is`;
  if (domain.type === 'blocked') return `${head}: every access faults`;
  if (domain.mappings.length === 0) return `${head}: nothing is mapped`;
  const rows = domain.mappings.slice(0, LISTED).map(mappingRow);
  const more = domain.total > rows.length ? [`\n… and ${domain.total - rows.length} more`] : [];
  return [head, '', '| IOVA | physical | | pages |', '|---|---|---|---|', ...rows, ...more].join('\n');
}

const mappingRow = (mapping: MappingState): string =>
  `| \`${hex(mapping.iova.start)} .. ${hex(mapping.iova.last)}\` | \`${hex(mapping.physical)}\` | ${mapping.read ? 'r' : '-'}${mapping.write ? 'w' : '-'} | ${mapping.pageSizes.map(sizeText).join(', ')} |`;

const actionOf = ({ report }: Analysis, subject: SubjectId): ActionReport | undefined => {
  for (const run of report.runs) for (const action of run.actions) if (action.id === subject) return action;
  return undefined;
};

function actionText(action: ActionReport, analysis: Analysis): string {
  if (action.kind === 'never') return `${action.holds ? 'Holds' : 'Does not hold'}: ${action.why}`;
  const messages = action.kind === 'step' ? action.messages : (action.fault?.messages ?? []);
  const result = action.kind === 'step' ? `\`${action.call}\` → **${action.result}**` : dmaText(action);
  const why = action.trace.filter((event) => event.verdict === 'fault' || event.verdict === 'blocked' || event.verdict === 'bypass').slice(0, LISTED).map((event) => `- ${event.text}${event.rules.length === 0 ? '' : ` _${event.rules.join(', ')}_`}`);
  const made = action.kind === 'step' ? mappingsMadeBy(analysis, action.id) : [];
  return [result, ...(why.length > 0 ? [why.join('\n')] : []), ...messages.map((line) => `\`${line}\``), ...(made.length > 0 ? [['| IOVA | physical | | pages |', '|---|---|---|---|', ...made].join('\n')] : [])].join('\n\n');
}

function dmaText(action: Extract<ActionReport, { kind: 'dma' }>): string {
  const where = action.address === undefined ? '' : ` at \`${hex(action.address)}\``;
  const fault = action.fault === undefined ? '' : ` ${faultCodeText(action.fault)} ${action.fault.name}`;
  return `→ **${action.outcome}**${where}${fault}${action.bypassedIommu ? ', past the IOMMU' : ''}`;
}

/** The effective mappings that one `map` step left behind. */
function mappingsMadeBy({ report }: Analysis, subject: SubjectId): string[] {
  return report.runs.flatMap((run) => run.final.domains.flatMap((domain) => domain.mappings.filter((mapping) => mapping.subject === subject).map(mappingRow))).slice(0, LISTED);
}

function ownerText(facts: Facts, subject: SubjectId): string | undefined {
  const owner = facts.description.owners.find((each) => each.id === subject);
  if (owner === undefined) return undefined;
  const domains = facts.report.runs.filter((run) => run.kind === 'host').flatMap((run) => {
    const used = new Set(run.final.devices.filter((state) => state.owner === owner.name && state.domain !== null).map((state) => state.domain!));
    return [...used].flatMap((index) => run.final.domains[index] ?? []);
  });
  return [`**${owner.name}** through ${owner.through}, ${owner.assigned.length} device${owner.assigned.length === 1 ? '' : 's'}`, ...domains.map(domainText)].join('\n\n');
}

function claimText(facts: Facts, subject: SubjectId): string | undefined {
  const claim = facts.description.groupClaims.find((each) => each.id === subject);
  const first = claim?.members[0]?.device;
  const group = first === undefined ? undefined : facts.group(first);
  return claim === undefined ? undefined : group === undefined ? 'These functions have no IOMMU group.' : `The kernel forms group ${group.number}: ${listed(group.members.map((each) => facts.name(each)))}`;
}

function kernelText(facts: Facts, subject: SubjectId): string | undefined {
  const host = facts.description.hosts.find((each) => each.kernel.id === subject);
  if (host === undefined) return undefined;
  const profile = profileFor(host.kernel.version);
  const report = facts.report.hosts.find((each) => each.host === host.id);
  return [`Modelled as Linux **${profile.name}**: ${profile.ownership === 'dma-owner' ? 'DMA ownership per group' : 'group viability'}, ${profile.iommufd ? 'iommufd' : 'no iommufd'}, mediated devices by ${profile.mediated === 'external-domain' ? 'an external domain without checks' : 'emulated groups'}.`,
    ...differencesText(profile),
    ...(report?.messages ?? []).slice(0, LISTED).map((line) => `\`${line}\``)].join('\n\n');
}

/** The host's kernel against the newest that is modelled. */
function differencesText(profile: KernelProfile): string[] {
  const differences = differencesFromNewest(profile);
  if (differences.length === 0) return [];
  return [[`Otherwise than in Linux ${PROFILES.at(-1)!.name}:`, ...differences.map(({ topic, here, newest }) => `- *${topic}*: ${here} (newest: ${newest})`)].join('\n')];
}

function domainStatementText(facts: Facts, subject: SubjectId): string | undefined {
  const described = facts.description.domains.find((each) => each.id === subject);
  if (described === undefined) return undefined;
  const state = facts.report.runs.flatMap((run) => run.final.domains).find((each) => each.name === described.name);
  return state === undefined ? undefined : domainText(state);
}
