/** Every diagnostic that looks at a simulation, in the order in which findings are listed. */
import { acsOverride } from './rules/acs-override.js';
import { deviceHasHostDriver } from './rules/device-has-host-driver.js';
import { dmaBypassesIommu } from './rules/dma-bypasses-iommu.js';
import { dmaFaults } from './rules/dma-faults.js';
import { dmaStaleTranslation } from './rules/dma-stale-translation.js';
import { expectationNotMet } from './rules/expectation-not-met.js';
import { firmwareMapping } from './rules/firmware-mapping.js';
import { groupClaimDiffers } from './rules/group-claim-differs.js';
import { groupNotAlone } from './rules/group-not-alone.js';
import { groupNotViable } from './rules/group-not-viable.js';
import { groupReworkDiffers } from './rules/group-rework-differs.js';
import { idsMatchSeveral } from './rules/ids-match-several.js';
import { iommuBuildDependent } from './rules/iommu-build-dependent.js';
import { iommuNone } from './rules/iommu-none.js';
import { addressWidth } from './rules/address-width.js';
import { bootFramebuffer } from './rules/boot-framebuffer.js';
import { firmwareRangeUnmapped } from './rules/firmware-range-unmapped.js';
import { groupPartlyAssigned } from './rules/group-partly-assigned.js';
import { groupSharedByOwners } from './rules/group-shared-by-owners.js';
import { tooManyMappings } from './rules/too-many-mappings.js';
import { iommuDisabled } from './rules/iommu-disabled.js';
import { memlockExceeded } from './rules/memlock-exceeded.js';
import { neverRefuted } from './rules/never-refuted.js';
import { noInterruptRemapping } from './rules/no-interrupt-remapping.js';
import { groupSeveralAddressSpaces } from './rules/group-several-address-spaces.js';
import { guestAddressWidth } from './rules/guest-address-width.js';
import { guestWindow } from './rules/guest-window.js';
import { noReset } from './rules/no-reset.js';
import { nodeNotPermitted } from './rules/node-not-permitted.js';
import { resetFails } from './rules/reset-fails.js';
import { romUnreadable } from './rules/rom-unreadable.js';
import { sriovNoRoom } from './rules/sriov-no-room.js';
import { recordedGroupDiffers } from './rules/recorded-group-differs.js';
import { requesterAlias } from './rules/requester-alias.js';
import { runStopped } from './rules/run-stopped.js';
import { stepFails } from './rules/step-fails.js';
import { unknownCapability } from './rules/unknown-capability.js';
import { vfioOnBridge } from './rules/vfio-on-bridge.js';
import type { DiagnosticRule } from './rule.js';

export const RULES: readonly DiagnosticRule[] = [
  iommuNone, iommuDisabled, iommuBuildDependent, deviceHasHostDriver, groupNotViable, groupSharedByOwners, groupPartlyAssigned, groupSeveralAddressSpaces, nodeNotPermitted, bootFramebuffer, romUnreadable, noReset, resetFails, sriovNoRoom, noInterruptRemapping, firmwareMapping, firmwareRangeUnmapped, memlockExceeded, addressWidth, guestAddressWidth, guestWindow, tooManyMappings, stepFails,
  groupClaimDiffers, expectationNotMet, neverRefuted, dmaFaults, dmaBypassesIommu, dmaStaleTranslation, acsOverride, groupNotAlone, groupReworkDiffers, requesterAlias, idsMatchSeveral, vfioOnBridge, recordedGroupDiffers, unknownCapability, runStopped,
];

export const ruleNamed: ReadonlyMap<string, DiagnosticRule> = new Map(RULES.map((rule) => [rule.code, rule]));
