#!/bin/sh
# Binds the devices of guest on rack, now and at every boot. Undo: driverctl unset-override ADDRESS
# Virtual functions are gone after a reboot: sriov_numvfs has to be written again before (a udev rule or the network configuration does it).
# The addresses are those of the described host: after adding or moving a card, compare them with lspci -D.
set -e
echo 0 > /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs
echo 4 > /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs
driverctl set-override 0000:41:00.0 vfio-pci  # gpu
driverctl set-override 0000:41:00.1 vfio-pci  # audio
driverctl set-override 0000:01:00.3 vfio-pci  # nic.vf1
driverctl set-override 0000:41:00.2 vfio-pci  # usb
