module pcie_target
  import pcie_pkg::*;
  import virtio_pci_pkg::*;
#(
  parameter int unsigned DataWidth = 256,
  parameter int unsigned Bar0Size  = 64     // bytes, power of two, 4..256
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // Requests from the host.
  input  logic                 rx_req_valid_i,
  output logic                 rx_req_ready_o,
  input  logic [127:0]         rx_req_hdr_i,
  input  logic [DataWidth-1:0] rx_req_data_i,
  input  logic                 rx_req_last_i,

  // Completions to the host.
  output logic                 tx_cpl_valid_o,
  input  logic                 tx_cpl_ready_i,
  output logic [127:0]         tx_cpl_hdr_o,
  output logic [DataWidth-1:0] tx_cpl_data_o,
  output logic                 tx_cpl_last_o,

  // Register bus: one access at a time, valid held until the slave's one-clock rsp_valid.
  output reg_req_t             reg_req_o,
  output logic                 cfg_req_valid_o,
  input  logic                 cfg_rsp_valid_i,
  input  logic [31:0]          cfg_rsp_rdata_i,
  output logic                 io_req_valid_o,
  input  logic                 io_rsp_valid_i,
  input  logic [31:0]          io_rsp_rdata_i,
  output logic                 mem_req_valid_o,
  input  logic                 mem_rsp_valid_i,
  input  logic [31:0]          mem_rsp_rdata_i,

  // From config_space.
  input  logic                 io_enable_i,
  input  logic                 mem_enable_i,
  input  logic                 bus_master_i,
  input  logic [31:0]          bar0_base_i,
  input  logic [31:0]          bar1_base_i,

  // From pcie_initiator.
  input  logic                 posted_blocked_i,  // a posted TLP is presented and not taken this clock
  input  logic                 dma_presented_i,   // a beat of an MRd or MWr is presented

  output logic [15:0]          function_id_o,     // captured bus and device, function 0
  output pcie_error_t          error_o
);
  // Body follows.
  logic unused;
  assign unused = ^{clk_i, rst_ni, rx_req_valid_i, rx_req_hdr_i, rx_req_data_i, rx_req_last_i, tx_cpl_ready_i,
                    cfg_rsp_valid_i, cfg_rsp_rdata_i, io_rsp_valid_i, io_rsp_rdata_i, mem_rsp_valid_i,
                    mem_rsp_rdata_i, io_enable_i, mem_enable_i, bus_master_i, bar0_base_i, bar1_base_i,
                    posted_blocked_i, dma_presented_i, Bar0Size[0]};
  assign rx_req_ready_o  = 1'b0;
  assign tx_cpl_valid_o  = 1'b0;
  assign tx_cpl_hdr_o    = '0;
  assign tx_cpl_data_o   = '0;
  assign tx_cpl_last_o   = 1'b0;
  assign reg_req_o       = '0;
  assign cfg_req_valid_o = 1'b0;
  assign io_req_valid_o  = 1'b0;
  assign mem_req_valid_o = 1'b0;
  assign function_id_o   = '0;
  assign error_o         = '0;
endmodule
