#!/bin/sh
# Binds the devices of win11 on desk, now and at every boot. Undo: driverctl unset-override ADDRESS
# The addresses are those of the described host: after adding or moving a card, compare them with lspci -D.
set -e
driverctl set-override 0000:01:00.0 vfio-pci  # gpu
driverctl set-override 0000:01:00.1 vfio-pci  # audio
driverctl set-override 0000:02:00.0 vfio-pci  # nic
