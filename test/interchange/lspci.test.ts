import { describe, expect, it } from 'vitest';
import { readLspci } from '../../server/interchange/lspci.js';

const GPU = `01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 [GeForce RTX 3070] [10de:2484] (rev a1) (prog-if 00 [VGA controller])
	Subsystem: ASUSTeK Computer Inc. Device [1043:87b2]
	Control: I/O+ Mem+ BusMaster+
	IOMMU group: 13
	Region 0: Memory at fc000000 (32-bit, non-prefetchable) [size=16M]
	Region 1: Memory at d0000000 (64-bit, prefetchable) [size=256M]
	Region 5: I/O ports at e000 [size=128]
	Expansion ROM at fd000000 [disabled] [size=512K]
	Capabilities: [68] MSI: Enable+ Count=1/1 Maskable- 64bit+
	Capabilities: [78] Express (v2) Legacy Endpoint, MSI 00
		DevCap:	MaxPayload 256 bytes, PhantFunc 0, Latency L0s unlimited, L1 <64us
			ExtTag+ AttnBtn- AttnInd- PwrInd- RBE+ FLReset- SlotPowerLimit 75W
		DevCtl:	CorrErr- NonFatalErr- FatalErr- UnsupReq-
			RlxdOrd+ ExtTag+ PhantFunc- AuxPwr- NoSnoop+ FLReset+
	Capabilities: [100 v1] Address Translation Service (ATS)
	Capabilities: [200 v1] Page Request Interface (PRI)
	Capabilities: [300 v1] Process Address Space ID (PASID)
		PASIDCap: Exec- Priv-, Max PASID Width: 10
	Kernel driver in use: nvidia
	Kernel modules: nouveau, nvidia
`;

const PORT = `00:01.1 PCI bridge: Advanced Micro Devices, Inc. [AMD] Starship/Matisse GPP Bridge (prog-if 00 [Normal decode])
	Flags: bus master, fast devsel, latency 0, IRQ 26, IOMMU group 2
	Bus: primary=00, secondary=01, subordinate=05, sec-latency=0
	Memory behind bridge: fc000000-fd0fffff [size=17M] [32-bit]
	Prefetchable memory behind bridge: 00000000fff00000-00000000000fffff [disabled] [64-bit]
	Capabilities: [58] Express (v2) Root Port (Slot+), MSI 00
	Capabilities: [2a0 v1] Access Control Services
		ACSCap:	SrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans+
		ACSCtl:	SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
`;

const NIC = `03:00.0 Ethernet controller [0200]: Intel Corporation I350 Gigabit Network Connection [8086:1521]
	Capabilities: [a0] Express (v2) Endpoint, MSI 00
		DevCap:	MaxPayload 512 bytes, FLReset+
	Capabilities: [140 v1] Access Control Services
	Capabilities: [150 v1] Alternative Routing-ID Interpretation (ARI)
	Capabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)
		IOVCap:	Migration- 10BitTagReq- Interrupt Message Number: 000
		Initial VFs: 8, Total VFs: 8, Number of VFs: 2, Function Dependency Link: 00
		VF offset: 128, stride: 4, Device ID: 1520
		Region 0: Memory at 00000000b0000000 (64-bit, prefetchable)
`;

const one = (text: string) => readLspci(text)[0]!;

describe('lspci -vvv', () => {
  it('reads ids, class, driver, group and capabilities of an endpoint', () => {
    const gpu = one(GPU);
    expect(gpu).toMatchObject({
      address: { segment: 0, bus: 1, device: 0, function: 0 }, label: 'NVIDIA Corporation GA104 [GeForce RTX 3070]', classCode: 0x030000,
      vendor: 0x10de, device: 0x2484, subsystemVendor: 0x1043, subsystemDevice: 0x87b2, driver: 'nvidia', group: 13,
      type: 'legacy-endpoint', acs: 'none', ats: true, pri: true, pasid: 10, ari: false, msi: true, functionLevelReset: false, bridge: false,
    });
    expect(gpu.bars).toEqual([
      { index: 0, range: { start: 0xfc00_0000n, last: 0xfcff_ffffn }, prefetchable: false },
      { index: 1, range: { start: 0xd000_0000n, last: 0xdfff_ffffn }, prefetchable: true },
    ]);
  });

  it('reads a port: buses, windows that are on, ACS capability and control (ACS-08)', () => {
    const port = one(PORT);
    expect(port).toMatchObject({ type: 'root-port', bridge: true, buses: { secondary: 1, subordinate: 5 }, group: 2, acs: { capability: 0x5f, control: 0x1d } });
    expect(port.windows).toEqual([{ range: { start: 0xfc00_0000n, last: 0xfd0f_ffffn }, prefetchable: false }]);
  });

  it('knows nothing of a function that did not answer, and of flags that were cut off', () => {
    const asleep = one('01:00.0 VGA compatible controller: NVIDIA Corporation GA107M (rev ff) (prog-if ff)\n\t!!! Unknown header type 7f\n\tKernel driver in use: nvidia\n');
    expect([asleep.type, asleep.acs, asleep.classCode, asleep.driver]).toEqual([undefined, 'unknown', 0x030000, 'nvidia']);
    expect(one(PORT.replace(/(ACSCtl:.*CmpltR).*/, '$1')).acs).toBe('present');
  });

  it('counts regions that -v prints without numbers, 64-bit ones as two', () => {
    const v = one('03:00.0 USB controller: Fresco Logic FL1100\n\tFlags: bus master\n\tMemory at 9c000000 (64-bit, non-prefetchable) [size=64K]\n\tI/O ports at e000 [size=128]\n\tMemory at 9c011000 (32-bit, non-prefetchable) [size=4K]\n');
    expect(v.bars.map((bar) => [bar.index, bar.range.start])).toEqual([[0, 0x9c00_0000n], [3, 0x9c01_1000n]]);
  });

  it('knows the vendor of a name but not the device, and takes "Device 43ea" for the device', () => {
    expect(one(PORT).vendor).toBe(0x1022);
    expect(one(PORT).device).toBeUndefined();
    expect(one('03:06.0 PCI bridge: Advanced Micro Devices, Inc. [AMD] Device 43ea\n\tFlags: fast devsel\n')).toMatchObject({ vendor: 0x1022, device: 0x43ea, classCode: 0x060400 });
  });

  it('reads SR-IOV without taking the BARs of the virtual functions for its own', () => {
    const nic = one(NIC);
    expect(nic).toMatchObject({ sriov: { enabled: 2, total: 8, offset: 128, stride: 4 }, ari: true, functionLevelReset: true, acs: 'present' });
    expect(nic.bars).toEqual([]);
  });

  it('calls a function without a PCIe capability conventional only when capabilities were shown', () => {
    const conventional = one('00:1f.0 ISA bridge: Intel Corporation LPC\n\tControl: I/O+\n\tStatus: Cap- 66MHz-\n');
    expect(conventional).toMatchObject({ type: 'pci', acs: 'none' });
    const denied = one('00:1f.0 ISA bridge: Intel Corporation LPC\n\tControl: I/O+\n\tCapabilities: <access denied>\n');
    expect([denied.type, denied.acs]).toEqual([undefined, 'unknown']);
    const bare = one('00:1f.0 ISA bridge: Intel Corporation LPC\n\tSubsystem: Dell Device 0001\n\tKernel driver in use: lpc_ich\n');
    expect([bare.type, bare.acs, bare.driver]).toEqual([undefined, 'unknown', 'lpc_ich']);
  });

  it('accepts -n, -D, quoting, indentation and lines that a mail program wrapped', () => {
    expect(one('0003:00:1f.3 0403: 8086:a348 (rev 10) (prog-if 80)\n')).toMatchObject({ address: { segment: 3 }, classCode: 0x040380, vendor: 0x8086, device: 0xa348 });
    expect(one(GPU.replace(/^/gm, '> '))).toMatchObject({ type: 'legacy-endpoint', group: 13 });
    expect(one(GPU.replace(/^/gm, '    ').replace(/\t/g, '        '))).toMatchObject({ type: 'legacy-endpoint', pasid: 10 });
    expect(one(NIC.replace('(v2) Endpoint', '(v2)\nRoot Complex Integrated\nEndpoint'))).toMatchObject({ type: 'integrated-endpoint' });
  });

  it('takes identity and multifunction bit from a hex dump', () => {
    const hex = ['00: 86 80 41 46 06 00 90 20 02 00 00 06 00 00 80 00', '10: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
      '20: 00 00 00 00 00 00 00 00 00 00 00 00 43 10 62 1c', '30: 00 00 00 00 e0 00 00 00 00 00 00 00 00 00 00 00'].join('\n');
    expect(one(`00:00.0 Host bridge: Intel Corporation 12th Gen\n\tControl: I/O-\n${hex}\n`)).toMatchObject({
      vendor: 0x8086, device: 0x4641, classCode: 0x060000, multifunction: true, bridge: false, subsystemVendor: 0x1043, subsystemDevice: 0x1c62,
    });
  });
});
