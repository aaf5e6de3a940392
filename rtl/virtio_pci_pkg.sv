// Types and constants shared by the blocks of a legacy virtio-pci function.
package virtio_pci_pkg;

  // A block reads the constants of its own subject only.
  /* verilator lint_off UNUSEDPARAM */

  // Virtio device types; the value is the PCI Subsystem Device ID (VPCI-DISC-04).
  typedef enum logic [15:0] {
    DeviceNet     = 16'd1,
    DeviceBlock   = 16'd2,
    DeviceConsole = 16'd3,
    DeviceEntropy = 16'd4,
    DeviceBalloon = 16'd5
  } device_type_e;

  // One register access of one DW: the bus between pcie_target and its slaves.
  typedef struct packed {
    logic        write;
    logic [11:0] addr;   // byte offset within the space, DW aligned
    logic [3:0]  be;     // enabled bytes; be[0] is the lowest address
    logic [31:0] wdata;
  } reg_req_t;

  // Identity (VPCI-DISC-01..04, 10).
  localparam logic [15:0] VirtioVendorId = 16'h1af4;

  function automatic logic [15:0] pci_device_id(device_type_e device);
    unique case (device)
      DeviceNet:     return 16'h1000;
      DeviceBlock:   return 16'h1001;
      DeviceBalloon: return 16'h1002;
      DeviceConsole: return 16'h1003;
      DeviceEntropy: return 16'h1005;
      default:       return 16'h1001;
    endcase
  endfunction

  // {base class, sub class, programming interface}
  function automatic logic [23:0] pci_class_code(device_type_e device);
    unique case (device)
      DeviceNet:     return 24'h02_00_00;
      DeviceBlock:   return 24'h01_00_00;
      DeviceConsole: return 24'h07_80_00;
      default:       return 24'h00_ff_00;
    endcase
  endfunction

  // Length of the device specific configuration in bytes.
  function automatic int unsigned device_config_bytes(device_type_e device);
    unique case (device)
      DeviceNet:     return 10;
      DeviceBlock:   return 24;
      DeviceConsole: return 12;
      DeviceBalloon: return 8;
      default:       return 0;
    endcase
  endfunction

  // BAR sizes in bytes. BAR0 holds 24 bytes of header and the device configuration (VPCI-REG-17).
  function automatic int unsigned bar0_bytes(device_type_e device);
    return (24 + device_config_bytes(device) > 32) ? 64 : 32;
  endfunction

  localparam int unsigned Bar1Bytes = 4096;

  // MSI-X structures in BAR1.
  localparam logic [11:0] MsixTableOffset = 12'h000;
  localparam logic [11:0] MsixPbaOffset   = 12'h800;
  localparam logic [15:0] NoVector        = 16'hffff;

  // Status bits the function itself looks at (VPCI-STAT-01).
  localparam int unsigned StatusDriverOk = 2;
  localparam int unsigned StatusFeaturesOk = 3;

  // BAR0: DW offsets of the legacy header (VPCI-REG-01).
  localparam logic [11:0] RegHostFeatures  = 12'h000;
  localparam logic [11:0] RegGuestFeatures = 12'h004;
  localparam logic [11:0] RegQueuePfn      = 12'h008;
  localparam logic [11:0] RegQueueSizeSel  = 12'h00c;  // size in 15:0, select in 31:16
  localparam logic [11:0] RegNotifyStatus  = 12'h010;  // notify 15:0, status 23:16, ISR 31:24
  localparam logic [11:0] RegVectors       = 12'h014;  // config 15:0, queue 31:16; only with MSI-X on

  // Feature bits of the transport and the ring.
  localparam int unsigned FeatureNotifyOnEmpty = 24;
  localparam int unsigned FeatureAnyLayout     = 27;
  localparam int unsigned FeatureIndirectDesc  = 28;
  localparam int unsigned FeatureEventIdx      = 29;
  localparam logic [31:0] TransportFeatures =
      (32'd1 << FeatureNotifyOnEmpty) | (32'd1 << FeatureAnyLayout) |
      (32'd1 << FeatureIndirectDesc) | (32'd1 << FeatureEventIdx);

  // Descriptor flags (VRING-DESC-01).
  localparam int unsigned DescriptorNext     = 0;
  localparam int unsigned DescriptorWrite    = 1;
  localparam int unsigned DescriptorIndirect = 2;

  // Bytes of a descriptor chain: exact for any number of 4 GiB segments that fit in the segment memory.
  localparam int unsigned LengthWidth = 48;

  // What a device asks of the byte streams of its descriptor chain.
  typedef enum logic [1:0] {
    TransferGather,        // the next bytes of the readable stream go to the device
    TransferScatter,       // the device's bytes go to the writable stream
    TransferSkipReadable,
    TransferSkipWritable
  } transfer_e;

  // Split ring geometry (VPCI-Q-05): byte offsets from the start of the descriptor table.
  function automatic logic [31:0] available_offset(int unsigned queue_size);
    return 32'(queue_size * 16);
  endfunction

  function automatic logic [31:0] used_offset(int unsigned queue_size);
    return 32'((queue_size * 16 + 2 * (queue_size + 3) + 4095) / 4096 * 4096);
  endfunction

  /* verilator lint_on UNUSEDPARAM */

endpackage
