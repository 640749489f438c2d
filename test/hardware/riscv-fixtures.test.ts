/** DMA behind a RISC-V IOMMU, as a file asks for it. */
import { runFixtures } from '../scenario/fixture-runner.js';

runFixtures(['test/fixtures/hardware/riscv.iommu', 'test/fixtures/hardware/riscv-kernels.iommu']);
