#!/bin/bash
# guest on rack: gpu 0000:41:00.0, audio 0000:41:00.1, nic.vf1 0000:01:00.3
# Run it as qemu.
# Processors, disks, network and display are not described; add them.
# The addresses are those of the described host: after adding or moving a card, compare them with lspci -D.
qemu-system-x86_64 -name guest \
  -machine q35,accel=kvm,memory-backend=ram0 \
  -m 16G \
  -object memory-backend-file,id=ram0,size=16G,mem-path=/dev/hugepages,prealloc=on \
  -cpu host \
  -device virtio-iommu-pci \
  -device pcie-pci-bridge,id=group3,addr=10.0 \
  -device vfio-pci,host=0000:41:00.0,bus=group3,addr=1.0,rombar=0 \
  -device vfio-pci,host=0000:41:00.1,bus=group3,addr=2.0 \
  -device pcie-root-port,id=port1,chassis=1,slot=1 \
  -device vfio-pci,host=0000:01:00.3,bus=port1,addr=0.0
