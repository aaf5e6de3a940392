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
  // Body follows.
  logic unused;
  assign unused = ^{clk_i, rst_ni, cfg_req_valid_i, reg_req_i, intx_pending_i, transactions_pending_i,
                    target_error_i, initiator_error_i, Bar0Size[0], NumVectors[0], DeviceType};
  assign cfg_rsp_valid_o = 1'b0;
  assign cfg_rsp_rdata_o = '0;
  assign io_enable_o = 1'b0;
  assign mem_enable_o = 1'b0;
  assign bus_master_o = 1'b0;
  assign parity_response_o = 1'b0;
  assign intx_disable_o = 1'b0;
  assign bar0_base_o = '0;
  assign bar1_base_o = '0;
  assign msix_enable_o = 1'b0;
  assign msix_function_mask_o = 1'b0;
  assign max_payload_o = '0;
  assign max_read_request_o = '0;
endmodule
