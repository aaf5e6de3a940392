// A legacy virtio-pci function with MSI-X: wires the blocks together, nothing else.
//
// Four channels of PCIe TLPs, valid/ready, the header beside the first beat of the payload; the media port of the
// device. docs/architecture.md shows the boundary.
module virtio_pci_function
  import virtio_pci_pkg::*;
#(
  parameter device_type_e DeviceType        = DeviceBlock,
  parameter int unsigned  DataWidth         = 256,      // 64, 128, 256 or 512
  parameter int unsigned  NumQueues         = 1,
  parameter int unsigned  QueueSize         = 256,      // of every queue: power of two, 1..32768
  parameter int unsigned  NumVectors        = 3,        // MSI-X table entries, 1..128
  parameter int unsigned  MaxSegments       = 256,      // buffers a chain may have; a longer one stops the queue
  parameter bit           ReadOnly          = 1'b0,     // block: writes are refused
  parameter int unsigned  CompletionTimeout = 125_000   // clocks
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // Requests from the host, and their completions.
  input  logic                 rx_req_valid_i,
  output logic                 rx_req_ready_o,
  input  logic [127:0]         rx_req_hdr_i,
  input  logic [DataWidth-1:0] rx_req_data_i,
  input  logic                 rx_req_last_i,
  output logic                 tx_cpl_valid_o,
  input  logic                 tx_cpl_ready_i,
  output logic [127:0]         tx_cpl_hdr_o,
  output logic [DataWidth-1:0] tx_cpl_data_o,
  output logic                 tx_cpl_last_o,

  // Requests to the host, and their completions.
  output logic                 tx_req_valid_o,
  input  logic                 tx_req_ready_i,
  output logic [127:0]         tx_req_hdr_o,
  output logic [DataWidth-1:0] tx_req_data_o,
  output logic                 tx_req_last_o,
  input  logic                 rx_cpl_valid_i,
  output logic                 rx_cpl_ready_o,
  input  logic [127:0]         rx_cpl_hdr_i,
  input  logic [DataWidth-1:0] rx_cpl_data_i,
  input  logic                 rx_cpl_last_i,

  // Media of the block device.
  output logic                 blk_req_valid_o,
  input  logic                 blk_req_ready_i,
  output logic [1:0]           blk_req_op_o,      // 0 read, 1 write, 2 flush
  output logic [63:0]          blk_req_sector_o,
  output logic [31:0]          blk_req_count_o,   // sectors of 512 bytes; flush: 0
  output logic                 blk_wdata_valid_o, // whole sectors; an early last beat ends a write that was given up
  input  logic                 blk_wdata_ready_i,
  output logic [DataWidth-1:0] blk_wdata_o,
  output logic                 blk_wdata_last_o,
  input  logic                 blk_rdata_valid_i,
  output logic                 blk_rdata_ready_o,
  input  logic [DataWidth-1:0] blk_rdata_i,
  input  logic                 blk_rdata_last_i,
  input  logic                 blk_rsp_valid_i,   // one per request: of a read before its data
  output logic                 blk_rsp_ready_o,
  input  logic                 blk_rsp_error_i,
  input  logic [63:0]          blk_capacity_i,    // sectors
  input  logic [159:0]         blk_serial_i       // 20 characters, the first in bits 7:0
);
  import pcie_pkg::*;

  localparam int unsigned Bar0Size    = bar0_bytes(DeviceType);
  localparam int unsigned BytesWidth  = $clog2(DataWidth / 8) + 1;
  localparam int unsigned QueueWidth  = (NumQueues > 1) ? $clog2(NumQueues) : 1;
  localparam int unsigned VectorWidth = (NumVectors > 1) ? $clog2(NumVectors) : 1;

  initial begin : check_parameters
    if (NumQueues < 1 || NumQueues > 256) $fatal(1, "NumQueues must be 1..256.");
    if (QueueSize < 1 || QueueSize > 32768 || (QueueSize & (QueueSize - 1)) != 0) begin
      $fatal(1, "QueueSize must be a power of two, 1..32768.");
    end
    if (NumVectors < 1 || NumVectors > 128) $fatal(1, "NumVectors must be 1..128.");
    if (MaxSegments < 2 || MaxSegments > 65536) $fatal(1, "MaxSegments must be 2..65536.");
    if (DeviceType != DeviceBlock) $fatal(1, "DeviceType must be DeviceBlock.");
  end

  // Register bus.
  reg_req_t    reg_req;
  logic        cfg_req_valid, cfg_rsp_valid, io_req_valid, io_rsp_valid, mem_req_valid, mem_rsp_valid;
  logic [31:0] cfg_rsp_rdata, io_rsp_rdata, mem_rsp_rdata;

  // Bus state.
  logic        io_enable, mem_enable, bus_master, intx_disable, msix_enable, msix_function_mask;
  logic [31:0] bar0_base, bar1_base;
  logic [15:0] function_id;
  dma_len_t    max_payload, max_read_request;
  logic        intx_pending, transactions_pending, posted_blocked, dma_presented;
  pcie_error_t target_error, initiator_error;

  pcie_target #(
    .DataWidth (DataWidth),
    .Bar0Size  (Bar0Size)
  ) u_target (
    .clk_i,
    .rst_ni,
    .rx_req_valid_i,
    .rx_req_ready_o,
    .rx_req_hdr_i,
    .rx_req_data_i,
    .rx_req_last_i,
    .tx_cpl_valid_o,
    .tx_cpl_ready_i,
    .tx_cpl_hdr_o,
    .tx_cpl_data_o,
    .tx_cpl_last_o,
    .reg_req_o        (reg_req),
    .cfg_req_valid_o  (cfg_req_valid),
    .cfg_rsp_valid_i  (cfg_rsp_valid),
    .cfg_rsp_rdata_i  (cfg_rsp_rdata),
    .io_req_valid_o   (io_req_valid),
    .io_rsp_valid_i   (io_rsp_valid),
    .io_rsp_rdata_i   (io_rsp_rdata),
    .mem_req_valid_o  (mem_req_valid),
    .mem_rsp_valid_i  (mem_rsp_valid),
    .mem_rsp_rdata_i  (mem_rsp_rdata),
    .io_enable_i      (io_enable),
    .mem_enable_i     (mem_enable),
    .bus_master_i     (bus_master),
    .bar0_base_i      (bar0_base),
    .bar1_base_i      (bar1_base),
    .posted_blocked_i (posted_blocked),
    .dma_presented_i  (dma_presented),
    .function_id_o    (function_id),
    .error_o          (target_error)
  );

  logic unused_parity_response;

  config_space #(
    .DeviceType (DeviceType),
    .Bar0Size   (Bar0Size),
    .NumVectors (NumVectors)
  ) u_config_space (
    .clk_i,
    .rst_ni,
    .cfg_req_valid_i        (cfg_req_valid),
    .reg_req_i              (reg_req),
    .cfg_rsp_valid_o        (cfg_rsp_valid),
    .cfg_rsp_rdata_o        (cfg_rsp_rdata),
    .io_enable_o            (io_enable),
    .mem_enable_o           (mem_enable),
    .bus_master_o           (bus_master),
    .parity_response_o      (unused_parity_response),
    .intx_disable_o         (intx_disable),
    .bar0_base_o            (bar0_base),
    .bar1_base_o            (bar1_base),
    .msix_enable_o          (msix_enable),
    .msix_function_mask_o   (msix_function_mask),
    .max_payload_o          (max_payload),
    .max_read_request_o     (max_read_request),
    .intx_pending_i         (intx_pending),
    .transactions_pending_i (transactions_pending),
    .target_error_i         (target_error),
    .initiator_error_i      (initiator_error)
  );

  // DMA and messages.
  logic                  rd_req_valid, rd_req_ready, rd_data_valid, rd_data_ready, rd_data_last, rd_data_error;
  logic                  wr_req_valid, wr_req_ready, wr_data_valid, wr_data_ready, wr_done;
  logic [63:0]           rd_req_addr, wr_req_addr, msg_addr;
  logic [31:0]           rd_req_len, wr_req_len, msg_data;
  logic [DataWidth-1:0]  rd_data, wr_data;
  logic [BytesWidth-1:0] rd_data_bytes;
  logic                  msg_valid, msg_ready, msg_presented, msg_msix, msg_intx_assert;
  logic                  fence, initiator_quiet;

  pcie_initiator #(
    .DataWidth         (DataWidth),
    .CompletionTimeout (CompletionTimeout)
  ) u_initiator (
    .clk_i,
    .rst_ni,
    .tx_req_valid_o,
    .tx_req_ready_i,
    .tx_req_hdr_o,
    .tx_req_data_o,
    .tx_req_last_o,
    .rx_cpl_valid_i,
    .rx_cpl_ready_o,
    .rx_cpl_hdr_i,
    .rx_cpl_data_i,
    .rx_cpl_last_i,
    .bus_master_i           (bus_master),
    .function_id_i          (function_id),
    .max_payload_i          (max_payload),
    .max_read_request_i     (max_read_request),
    .rd_req_valid_i         (rd_req_valid),
    .rd_req_ready_o         (rd_req_ready),
    .rd_req_addr_i          (rd_req_addr),
    .rd_req_len_i           (rd_req_len),
    .rd_data_valid_o        (rd_data_valid),
    .rd_data_ready_i        (rd_data_ready),
    .rd_data_o              (rd_data),
    .rd_data_bytes_o        (rd_data_bytes),
    .rd_data_last_o         (rd_data_last),
    .rd_data_error_o        (rd_data_error),
    .wr_req_valid_i         (wr_req_valid),
    .wr_req_ready_o         (wr_req_ready),
    .wr_req_addr_i          (wr_req_addr),
    .wr_req_len_i           (wr_req_len),
    .wr_data_valid_i        (wr_data_valid),
    .wr_data_ready_o        (wr_data_ready),
    .wr_data_i              (wr_data),
    .wr_done_o              (wr_done),
    .msg_req_valid_i        (msg_valid),
    .msg_req_ready_o        (msg_ready),
    .msg_presented_o        (msg_presented),
    .msg_req_msix_i         (msg_msix),
    .msg_addr_i             (msg_addr),
    .msg_data_i             (msg_data),
    .msg_req_intx_assert_i  (msg_intx_assert),
    .cancel_i               (fence),
    .quiet_o                (initiator_quiet),
    .posted_blocked_o       (posted_blocked),
    .dma_presented_o        (dma_presented),
    .transactions_pending_o (transactions_pending),
    .error_o                (initiator_error)
  );

  // Registers.
  logic                       device_reset, engine_quiet, interrupts_quiet, settled, isr_clear, notify_valid;
  logic [7:0]                 isr, status;
  logic [15:0]                config_vector, notify_queue;
  logic [NumQueues-1:0][15:0] queue_vector;
  logic [NumQueues-1:0][31:0] queue_pfn;
  logic [31:0]                device_features, features, config_rdata, config_wdata;
  logic                       config_write;
  logic [3:0]                 config_be;
  logic [11:0]                config_addr;

  legacy_registers #(
    .NumQueues   (NumQueues),
    .QueueSize   (QueueSize),
    .NumVectors  (NumVectors),
    .ConfigBytes (device_config_bytes(DeviceType))
  ) u_registers (
    .clk_i,
    .rst_ni,
    .io_req_valid_i  (io_req_valid),
    .reg_req_i       (reg_req),
    .io_rsp_valid_o  (io_rsp_valid),
    .io_rsp_rdata_o  (io_rsp_rdata),
    .msix_enable_i   (msix_enable),
    .isr_i           (isr),
    .isr_clear_o     (isr_clear),
    .settled_i       (settled),
    .config_vector_o (config_vector),
    .queue_vector_o  (queue_vector),
    .queue_pfn_o     (queue_pfn),
    .notify_valid_o  (notify_valid),
    .notify_queue_o  (notify_queue),
    .host_features_i (TransportFeatures | device_features),
    .features_o      (features),
    .status_o        (status),
    .config_addr_o   (config_addr),
    .config_rdata_i  (config_rdata),
    .config_write_o  (config_write),
    .config_be_o     (config_be),
    .config_wdata_o  (config_wdata),
    .fence_o         (fence),
    .quiet_i         (engine_quiet & interrupts_quiet & initiator_quiet),
    .device_reset_o  (device_reset)
  );

  // Interrupts.
  logic                   queue_event_valid, queue_event_ready, config_changed;
  logic [QueueWidth-1:0]  queue_event_queue;
  logic [VectorWidth-1:0] vector;
  logic [63:0]            vector_addr;
  logic [31:0]            vector_data;
  logic [NumVectors-1:0]  vector_masked, vector_pending, pending_set, pending_clear;

  msix_table #(
    .NumVectors (NumVectors)
  ) u_msix_table (
    .clk_i,
    .rst_ni,
    .device_reset_i  (device_reset),
    .mem_req_valid_i (mem_req_valid),
    .reg_req_i       (reg_req),
    .mem_rsp_valid_o (mem_rsp_valid),
    .mem_rsp_rdata_o (mem_rsp_rdata),
    .vector_i        (vector),
    .addr_o          (vector_addr),
    .data_o          (vector_data),
    .masked_o        (vector_masked),
    .pending_o       (vector_pending),
    .pending_set_i   (pending_set),
    .pending_clear_i (pending_clear)
  );

  interrupts #(
    .NumVectors (NumVectors)
  ) u_interrupts (
    .clk_i,
    .rst_ni,
    .fence_i               (fence),
    .device_reset_i        (device_reset),
    .queue_event_valid_i   (queue_event_valid),
    .queue_event_ready_o   (queue_event_ready),
    .queue_vector_i        (queue_vector[queue_event_queue]),
    .config_event_i        (config_changed & status[StatusDriverOk]),
    .config_vector_i       (config_vector),
    .isr_o                 (isr),
    .isr_clear_i           (isr_clear),
    .settled_o             (settled),
    .quiet_o               (interrupts_quiet),
    .bus_master_i          (bus_master),
    .intx_disable_i        (intx_disable),
    .intx_pending_o        (intx_pending),
    .msix_enable_i         (msix_enable),
    .msix_function_mask_i  (msix_function_mask),
    .vector_o              (vector),
    .vector_addr_i         (vector_addr),
    .vector_data_i         (vector_data),
    .masked_i              (vector_masked),
    .pending_i             (vector_pending),
    .pending_set_o         (pending_set),
    .pending_clear_o       (pending_clear),
    .msg_req_valid_o       (msg_valid),
    .msg_req_ready_i       (msg_ready),
    .msg_presented_i       (msg_presented),
    .msg_req_msix_o        (msg_msix),
    .msg_req_intx_assert_o (msg_intx_assert),
    .msg_addr_o            (msg_addr),
    .msg_data_o            (msg_data)
  );

  // Virtqueues and device.
  logic [NumQueues-1:0]   wants;
  logic                   chain_valid, chain_complete, chain_reject;
  logic [LengthWidth-1:0] chain_readable, chain_writable, op_bytes;
  logic [31:0]            chain_used_length;
  logic [QueueWidth-1:0]  chain_queue;
  logic                   op_valid, op_ready, op_done, op_error;
  transfer_e              op_kind;
  logic                   gather_valid, gather_ready, scatter_valid, scatter_ready;
  logic [DataWidth-1:0]   gather_data, scatter_data;

  virtqueue_engine #(
    .DataWidth   (DataWidth),
    .NumQueues   (NumQueues),
    .QueueSize   (QueueSize),
    .MaxSegments (MaxSegments)
  ) u_engine (
    .clk_i,
    .rst_ni,
    .queue_pfn_i         (queue_pfn),
    .event_idx_i         (features[FeatureEventIdx]),
    .notify_on_empty_i   (features[FeatureNotifyOnEmpty]),
    .notify_valid_i      (notify_valid),
    .notify_queue_i      (notify_queue),
    .bus_master_i        (bus_master),
    .fence_i             (fence),
    .device_reset_i      (device_reset),
    .quiet_o             (engine_quiet),
    .interrupt_valid_o   (queue_event_valid),
    .interrupt_ready_i   (queue_event_ready),
    .interrupt_queue_o   (queue_event_queue),
    .wants_i             (wants),
    .chain_valid_o       (chain_valid),
    .chain_queue_o       (chain_queue),
    .chain_readable_o    (chain_readable),
    .chain_writable_o    (chain_writable),
    .chain_complete_i    (chain_complete),
    .chain_used_length_i (chain_used_length),
    .chain_reject_i      (chain_reject),
    .op_valid_i          (op_valid),
    .op_ready_o          (op_ready),
    .op_kind_i           (op_kind),
    .op_bytes_i          (op_bytes),
    .op_done_o           (op_done),
    .op_error_o          (op_error),
    .gather_valid_o      (gather_valid),
    .gather_ready_i      (gather_ready),
    .gather_data_o       (gather_data),
    .scatter_valid_i     (scatter_valid),
    .scatter_ready_o     (scatter_ready),
    .scatter_data_i      (scatter_data),
    .rd_req_valid_o      (rd_req_valid),
    .rd_req_ready_i      (rd_req_ready),
    .rd_req_addr_o       (rd_req_addr),
    .rd_req_len_o        (rd_req_len),
    .rd_data_valid_i     (rd_data_valid),
    .rd_data_ready_o     (rd_data_ready),
    .rd_data_i           (rd_data),
    .rd_data_bytes_i     (rd_data_bytes),
    .rd_data_last_i      (rd_data_last),
    .rd_data_error_i     (rd_data_error),
    .wr_req_valid_o      (wr_req_valid),
    .wr_req_ready_i      (wr_req_ready),
    .wr_req_addr_o       (wr_req_addr),
    .wr_req_len_o        (wr_req_len),
    .wr_data_valid_o     (wr_data_valid),
    .wr_data_ready_i     (wr_data_ready),
    .wr_data_o           (wr_data),
    .wr_done_i           (wr_done)
  );

  block #(
    .DataWidth   (DataWidth),
    .NumQueues   (NumQueues),
    .MaxSegments (MaxSegments),
    .ReadOnly    (ReadOnly)
  ) u_block (
    .clk_i,
    .rst_ni,
    .device_features_o   (device_features),
    .config_addr_i       (config_addr),
    .config_rdata_o      (config_rdata),
    .config_changed_o    (config_changed),
    .wants_o             (wants),
    .chain_valid_i       (chain_valid),
    .chain_readable_i    (chain_readable),
    .chain_writable_i    (chain_writable),
    .chain_complete_o    (chain_complete),
    .chain_used_length_o (chain_used_length),
    .chain_reject_o      (chain_reject),
    .op_valid_o          (op_valid),
    .op_ready_i          (op_ready),
    .op_kind_o           (op_kind),
    .op_bytes_o          (op_bytes),
    .op_done_i           (op_done),
    .op_error_i          (op_error),
    .gather_valid_i      (gather_valid),
    .gather_ready_o      (gather_ready),
    .gather_data_i       (gather_data),
    .scatter_valid_o     (scatter_valid),
    .scatter_ready_i     (scatter_ready),
    .scatter_data_o      (scatter_data),
    .req_valid_o         (blk_req_valid_o),
    .req_ready_i         (blk_req_ready_i),
    .req_op_o            (blk_req_op_o),
    .req_sector_o        (blk_req_sector_o),
    .req_count_o         (blk_req_count_o),
    .wdata_valid_o       (blk_wdata_valid_o),
    .wdata_ready_i       (blk_wdata_ready_i),
    .wdata_o             (blk_wdata_o),
    .wdata_last_o        (blk_wdata_last_o),
    .rdata_valid_i       (blk_rdata_valid_i),
    .rdata_ready_o       (blk_rdata_ready_o),
    .rdata_i             (blk_rdata_i),
    .rdata_last_i        (blk_rdata_last_i),
    .rsp_valid_i         (blk_rsp_valid_i),
    .rsp_ready_o         (blk_rsp_ready_o),
    .rsp_error_i         (blk_rsp_error_i),
    .capacity_i          (blk_capacity_i),
    .serial_i            (blk_serial_i)
  );

  // Block's configuration is read only and its queues are alike.
  logic unused_registers;
  assign unused_registers = ^{features, status, config_write, config_be, config_wdata, chain_queue};

endmodule
