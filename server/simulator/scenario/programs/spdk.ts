/**
 * SPDK: DPDK's calls. All memory that it is given here is DPDK's, which DPDK has mapped; SPDK keeps translations of it and
 * maps only what DPDK does not manage (BARs of its devices, memory of virtual machines that it serves).
 */
export { dpdk as spdk } from './dpdk.js';
