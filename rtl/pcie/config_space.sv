// Configuration space: type 0 header, MSI-X capability at 0x40, PCI Express capability at 0x50
// (PCI-CFG, PCI-BAR, PCI-MSIX-01/02). Everything not named here reads 0 and ignores writes.
//
// An access is answered one clock after it is presented. Writes merge by byte enables.
//
//   register          writable bits                              after reset
//   0x04 Command      0 I/O, 1 memory, 2 bus master, 6 parity,   0
//                     8 SERR, 10 INTx disable
//   0x06 Status       write 1 to clear: 8, 11..15                caps list (4) = 1, 3 = Interrupt Status
//   0x0c              cache line size                            0
//   0x10 BAR0 (I/O)   31:log2(Bar0Size)                          1
//   0x14 BAR1 (4 KiB) 31:12                                      0
//   0x3c              interrupt line                             pin 1, line 0
//   0x42 MSI-X ctl    14 function mask, 15 enable                NumVectors - 1
//   0x54 DevCap       -                                          0x8002: 512 B payload, role-based errors
//   0x58 DevCtl       14:11, 7:0                                 0x2810: MPS 128, MRRS 512, RO, NS
//   0x5a DevSta       write 1 to clear: 3:0                      bit 5 = Transactions Pending
//
// Errors: a request answered UR or dropped as unsupported sets DevSta 3 (Unsupported Request). What role-based error
// reporting calls advisory (a request answered UR or CA, an unexpected completion) sets DevSta 0 (Correctable); a
// posted request dropped as unsupported, a poisoned TLP and a completion timeout set DevSta 1 (Non-Fatal); a malformed
// completion sets DevSta 2 (Fatal). Status: 11 signalled target abort, 12 / 13 a DMA read came back CA / UR, 15 any
// poisoned TLP, 8 a poisoned read completion while Parity Error Response is set.

module config_space
  import pcie_pkg::*;
  import virtio_pci_pkg::*;
#(
  parameter device_type_e DeviceType = DeviceBlock,
  parameter int unsigned  Bar0Size   = 64,  // bytes, power of two, 4..256
  parameter int unsigned  NumVectors = 3    // MSI-X table entries, 1..128
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  // Register bus.
  input  logic        cfg_req_valid_i,
  input  reg_req_t    reg_req_i,
  output logic        cfg_rsp_valid_o,
  output logic [31:0] cfg_rsp_rdata_o,

  // Command register and base addresses.
  output logic        io_enable_o,
  output logic        mem_enable_o,
  output logic        bus_master_o,
  output logic        parity_response_o,
  output logic        intx_disable_o,
  output logic [31:0] bar0_base_o,
  output logic [31:0] bar1_base_o,

  // MSI-X message control.
  output logic        msix_enable_o,
  output logic        msix_function_mask_o,

  // Device control, in bytes, at most MaxDmaBytes.
  output dma_len_t    max_payload_o,
  output dma_len_t    max_read_request_o,

  // Status.
  input  logic        intx_pending_i,           // Interrupt Status
  input  logic        transactions_pending_i,
  input  pcie_error_t target_error_i,
  input  pcie_error_t initiator_error_i
);

  initial begin : check_parameters
    if (Bar0Size < 4 || Bar0Size > 256 || (Bar0Size & (Bar0Size - 1)) != 0) $fatal(1, "Bar0Size must be 4..256.");
    if (NumVectors < 1 || NumVectors > 128) $fatal(1, "NumVectors must be 1..128.");
  end

  // DW numbers.
  localparam logic [5:0] DwIds        = 6'h00;
  localparam logic [5:0] DwCommand    = 6'h01;
  localparam logic [5:0] DwClass      = 6'h02;
  localparam logic [5:0] DwCacheLine  = 6'h03;
  localparam logic [5:0] DwBar0       = 6'h04;
  localparam logic [5:0] DwBar1       = 6'h05;
  localparam logic [5:0] DwSubsystem  = 6'h0b;
  localparam logic [5:0] DwCapPointer = 6'h0d;
  localparam logic [5:0] DwInterrupt  = 6'h0f;
  localparam logic [5:0] DwMsixCtl    = 6'h10;
  localparam logic [5:0] DwMsixTable  = 6'h11;
  localparam logic [5:0] DwMsixPba    = 6'h12;
  localparam logic [5:0] DwPcieCap    = 6'h14;
  localparam logic [5:0] DwDevCap     = 6'h15;
  localparam logic [5:0] DwDevCtl     = 6'h16;

  // {Status, Command}-shaped masks over their DWs.
  localparam logic [31:0] CommandMask  = 32'h0000_0547;
  localparam logic [31:0] StatusClear  = 32'hf900_0000;
  localparam logic [31:0] CacheMask    = 32'h0000_00ff;
  localparam logic [31:0] Bar0Mask     = ~(32'(Bar0Size) - 32'd1);
  localparam logic [31:0] Bar1Mask     = 32'hffff_f000;
  localparam logic [31:0] LineMask     = 32'h0000_00ff;
  localparam logic [31:0] MsixCtlMask  = 32'hc000_0000;
  localparam logic [31:0] DevCtlMask   = 32'h0000_78ff;
  localparam logic [31:0] DevCtlReset  = 32'h0000_2810;
  localparam logic [31:0] DevStaClear  = 32'h000f_0000;

  localparam logic [23:0] ClassCode    = pci_class_code(DeviceType);
  localparam logic [10:0] MsixLastEntry = 11'(NumVectors - 1);

  // Storage in the place the bits have in their DW; only masked bits ever become 1.
  logic [31:0] command_q, status_q, cache_line_q, bar0_q, bar1_q, interrupt_q, msix_ctl_q, dev_ctl_q, dev_sta_q;

  logic        take, write;
  logic [5:0]  dw;
  logic [31:0] byte_mask;
  logic [31:0] rdata;

  assign take  = cfg_req_valid_i && !cfg_rsp_valid_o;
  assign write = take && reg_req_i.write && (reg_req_i.addr[11:8] == '0);
  assign dw    = reg_req_i.addr[7:2];
  assign byte_mask = {{8{reg_req_i.be[3]}}, {8{reg_req_i.be[2]}}, {8{reg_req_i.be[1]}}, {8{reg_req_i.be[0]}}};

  function automatic logic [31:0] merged(logic [31:0] old, logic [31:0] data, logic [31:0] mask);
    return (old & ~mask) | (data & mask);
  endfunction

  // Reads.

  always_comb begin
    rdata = '0;
    unique case (dw)
      DwIds:        rdata = {pci_device_id(DeviceType), VirtioVendorId};
      DwCommand:    rdata = command_q | status_q | {12'h001, intx_pending_i, 19'h0};
      DwClass:      rdata = {ClassCode, 8'h00};
      DwCacheLine:  rdata = cache_line_q;
      DwBar0:       rdata = bar0_q | 32'h1;
      DwBar1:       rdata = bar1_q;
      DwSubsystem:  rdata = {DeviceType, VirtioVendorId};
      DwCapPointer: rdata = 32'h0000_0040;
      DwInterrupt:  rdata = interrupt_q | 32'h0000_0100;
      DwMsixCtl:    rdata = msix_ctl_q | {5'h00, MsixLastEntry, 16'h5011};
      DwMsixTable:  rdata = {20'h0, MsixTableOffset} | 32'h1;
      DwMsixPba:    rdata = {20'h0, MsixPbaOffset} | 32'h1;
      DwPcieCap:    rdata = 32'h0012_0010;  // version 2, Legacy Endpoint, last capability
      DwDevCap:     rdata = 32'h0000_8002;
      DwDevCtl:     rdata = dev_ctl_q | dev_sta_q | {10'h0, transactions_pending_i, 21'h0};
      default:      rdata = '0;
    endcase
    if (reg_req_i.addr[11:8] != '0) rdata = '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cfg_rsp_valid_o <= 1'b0;
      cfg_rsp_rdata_o <= '0;
    end else begin
      cfg_rsp_valid_o <= take;
      if (take) cfg_rsp_rdata_o <= rdata;
    end
  end

  // Writable registers.

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      command_q    <= '0;
      cache_line_q <= '0;
      bar0_q       <= '0;
      bar1_q       <= '0;
      interrupt_q  <= '0;
      msix_ctl_q   <= '0;
      dev_ctl_q    <= DevCtlReset;
    end else if (write) begin
      unique case (dw)
        DwCommand:   command_q    <= merged(command_q, reg_req_i.wdata, byte_mask & CommandMask);
        DwCacheLine: cache_line_q <= merged(cache_line_q, reg_req_i.wdata, byte_mask & CacheMask);
        DwBar0:      bar0_q       <= merged(bar0_q, reg_req_i.wdata, byte_mask & Bar0Mask);
        DwBar1:      bar1_q       <= merged(bar1_q, reg_req_i.wdata, byte_mask & Bar1Mask);
        DwInterrupt: interrupt_q  <= merged(interrupt_q, reg_req_i.wdata, byte_mask & LineMask);
        DwMsixCtl:   msix_ctl_q   <= merged(msix_ctl_q, reg_req_i.wdata, byte_mask & MsixCtlMask);
        DwDevCtl:    dev_ctl_q    <= merged(dev_ctl_q, reg_req_i.wdata, byte_mask & DevCtlMask);
        default: ;
      endcase
    end
  end

  // Error bits: a new error wins over a clear in the same clock.

  pcie_error_t error;
  logic [31:0] status_set, status_clear, dev_sta_set, dev_sta_clear;

  assign error = target_error_i | initiator_error_i;

  always_comb begin
    status_set     = '0;
    status_set[24] = error.poisoned_completion && parity_response_o;
    status_set[27] = error.signalled_target_abort;
    status_set[28] = error.received_target_abort;
    status_set[29] = error.received_master_abort;
    status_set[31] = error.poisoned;

    dev_sta_set     = '0;
    dev_sta_set[16] = error.unsupported_told || error.signalled_target_abort || error.unexpected_completion;
    dev_sta_set[17] = error.poisoned || error.completion_timeout || error.unsupported_posted;
    dev_sta_set[18] = error.malformed_completion;
    dev_sta_set[19] = error.unsupported_request;
  end

  assign status_clear  = (write && dw == DwCommand) ? (reg_req_i.wdata & byte_mask & StatusClear) : '0;
  assign dev_sta_clear = (write && dw == DwDevCtl) ? (reg_req_i.wdata & byte_mask & DevStaClear) : '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      status_q  <= '0;
      dev_sta_q <= '0;
    end else begin
      status_q  <= (status_q & ~status_clear) | status_set;
      dev_sta_q <= (dev_sta_q & ~dev_sta_clear) | dev_sta_set;
    end
  end

  // What the other blocks need.

  assign io_enable_o          = command_q[0];
  assign mem_enable_o         = command_q[1];
  assign bus_master_o         = command_q[2];
  assign parity_response_o    = command_q[6];
  assign intx_disable_o       = command_q[10];
  assign bar0_base_o          = bar0_q;
  assign bar1_base_o          = bar1_q;
  assign msix_function_mask_o = msix_ctl_q[30];
  assign msix_enable_o        = msix_ctl_q[31];

  // 128 << n bytes, at most MaxDmaBytes.
  function automatic dma_len_t limited(logic [2:0] code);
    unique case (code)
      3'd0:    return dma_len_t'(128);
      3'd1:    return dma_len_t'(256);
      default: return dma_len_t'(MaxDmaBytes);
    endcase
  endfunction

  assign max_payload_o      = limited(dev_ctl_q[7:5]);
  assign max_read_request_o = limited(dev_ctl_q[14:12]);

endmodule
