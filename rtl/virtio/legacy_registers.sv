// The legacy register block in BAR0 (VPCI-REG), behind it the device configuration.
//
// Byte enables are honoured byte by byte: partial writes merge into the stored value, side effects belong to
// the enabled bytes. Status 0, or address 0 for an existing queue, resets the device: fence_o stays up until
// quiet_i, then device_reset_o clears everything, and only after that the access is answered. A read of the ISR
// is answered when the INTx line has followed on the wire (settled_i).
module legacy_registers
  import virtio_pci_pkg::*;
#(
  parameter int unsigned NumQueues   = 1,
  parameter int unsigned QueueSize   = 256,
  parameter int unsigned NumVectors  = 3,
  parameter int unsigned ConfigBytes = 24   // device configuration
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,

  // Register bus.
  input  logic                       io_req_valid_i,
  input  reg_req_t                   reg_req_i,
  output logic                       io_rsp_valid_o,
  output logic [31:0]                io_rsp_rdata_o,

  input  logic                       msix_enable_i,

  // Interrupt state.
  input  logic [7:0]                 isr_i,
  output logic                       isr_clear_o,     // the value of isr_i in this clock has been read
  input  logic                       settled_i,
  output logic [15:0]                config_vector_o,
  output logic [NumQueues-1:0][15:0] queue_vector_o,

  // Queues.
  output logic [NumQueues-1:0][31:0] queue_pfn_o,
  output logic                       notify_valid_o,  // one clock
  output logic [15:0]                notify_queue_o,

  // Device.
  input  logic [31:0]                host_features_i,
  output logic [31:0]                features_o,      // accepted by the driver
  output logic [7:0]                 status_o,
  output logic [11:0]                config_addr_o,   // DW aligned
  input  logic [31:0]                config_rdata_i,
  output logic                       config_write_o,  // one clock
  output logic [3:0]                 config_be_o,
  output logic [31:0]                config_wdata_o,

  // Reset.
  output logic                       fence_o,
  input  logic                       quiet_i,
  output logic                       device_reset_o   // one clock
);

  localparam int unsigned QueueWidth = (NumQueues > 1) ? $clog2(NumQueues) : 1;

  typedef enum logic [1:0] {
    StIdle,
    StFence,    // reset: waits until nothing is in flight
    StSettle,   // waits until the INTx line has followed
    StRespond
  } state_e;

  state_e      state_q, state_d;
  logic [31:0] rdata_q, rdata_d;
  logic [7:0]  status_q, status_d;
  logic [31:0] features_q, features_d;
  logic        features_locked_q, features_locked_d;
  logic [15:0] queue_select_q, queue_select_d;
  logic [15:0] config_vector_q, config_vector_d;
  logic [NumQueues-1:0][31:0] pfn_q, pfn_d;
  logic [NumQueues-1:0][15:0] vector_q, vector_d;

  // The access.
  logic [11:0] config_base;
  logic [31:0] mask, wdata;
  assign config_base = msix_enable_i ? 12'd24 : 12'd20;
  assign mask        = {{8{reg_req_i.be[3]}}, {8{reg_req_i.be[2]}}, {8{reg_req_i.be[1]}}, {8{reg_req_i.be[0]}}};
  assign wdata       = reg_req_i.wdata & mask;

  wire access    = io_req_valid_i & (state_q == StIdle);
  wire to_config = reg_req_i.addr >= config_base;
  wire write     = access & reg_req_i.write & ~to_config;
  wire read      = access & ~reg_req_i.write & ~to_config;

  wire write_features = write & (reg_req_i.addr == RegGuestFeatures) & |reg_req_i.be;
  wire write_pfn      = write & (reg_req_i.addr == RegQueuePfn) & |reg_req_i.be;
  wire write_select   = write & (reg_req_i.addr == RegQueueSizeSel);
  wire write_notify   = write & (reg_req_i.addr == RegNotifyStatus) & reg_req_i.be[0];
  wire write_status   = write & (reg_req_i.addr == RegNotifyStatus) & reg_req_i.be[2];
  wire write_config_vector = write & (reg_req_i.addr == RegVectors) & |reg_req_i.be[1:0];
  wire write_queue_vector  = write & (reg_req_i.addr == RegVectors) & |reg_req_i.be[3:2];
  wire read_isr       = read & (reg_req_i.addr == RegNotifyStatus) & reg_req_i.be[3];

  // The selected queue. A missing one reads as absent (VPCI-REG-21).
  logic [QueueWidth-1:0] queue;
  logic [31:0]           selected_pfn;
  logic [15:0]           selected_size, selected_vector;
  assign queue           = QueueWidth'(queue_select_q);
  wire   queue_exists    = 32'(queue_select_q) < NumQueues;
  assign selected_pfn    = queue_exists ? pfn_q[queue] : '0;
  assign selected_size   = queue_exists ? 16'(QueueSize) : '0;
  assign selected_vector = queue_exists ? vector_q[queue] : NoVector;

  // Features stand once a queue is used, or the driver says FEATURES_OK (VPCI-STAT-25).
  wire locked = features_locked_q | status_q[StatusFeaturesOk];

  // Merged values.
  logic [31:0] new_features, new_pfn;
  logic [15:0] new_config_vector, new_queue_vector;
  assign new_features      = ((features_q & ~mask) | wdata) & host_features_i;
  assign new_pfn           = (selected_pfn & ~mask) | wdata;
  assign new_config_vector = (config_vector_q & ~mask[15:0]) | wdata[15:0];
  assign new_queue_vector  = (selected_vector & ~mask[31:16]) | wdata[31:16];

  // A vector past the table reads back as none (VPCI-INT-10).
  function automatic logic [15:0] valid_vector(logic [15:0] vector);
    return (32'(vector) < NumVectors) ? vector : NoVector;
  endfunction

  logic  notified_live;  // the notified queue exists and is set up
  always_comb begin
    notified_live = 1'b0;
    for (int unsigned q = 0; q < NumQueues; q++) begin
      if ((wdata[15:0] == 16'(q)) & (pfn_q[q] != '0)) notified_live = 1'b1;
    end
  end

  wire reset_written = (write_status & (wdata[23:16] == '0)) | (write_pfn & queue_exists & (new_pfn == '0));

  assign fence_o        = (state_q == StFence);
  assign device_reset_o = fence_o & quiet_i;
  assign isr_clear_o    = read_isr;
  assign notify_valid_o = write_notify & notified_live;
  assign notify_queue_o = wdata[15:0];
  assign io_rsp_valid_o = (state_q == StRespond);
  assign io_rsp_rdata_o = rdata_q;

  assign status_o        = status_q;
  assign features_o      = features_q;
  assign config_vector_o = config_vector_q;
  assign queue_vector_o  = vector_q;
  assign queue_pfn_o     = pfn_q;

  // Device configuration; past its end reads give ones and writes are dropped (VPCI-REG-14).
  logic [3:0] inside_config;
  always_comb begin
    for (int unsigned i = 0; i < 4; i++) begin
      inside_config[i] = (32'(config_addr_o) + i < ConfigBytes);
    end
  end
  assign config_addr_o  = reg_req_i.addr - config_base;
  assign config_write_o = access & reg_req_i.write & to_config;
  assign config_be_o    = reg_req_i.be & inside_config;
  assign config_wdata_o = reg_req_i.wdata;

  always_comb begin
    rdata_d = rdata_q;
    if (access) begin
      unique case (reg_req_i.addr)
        RegHostFeatures:  rdata_d = host_features_i;
        RegGuestFeatures: rdata_d = features_q;
        RegQueuePfn:      rdata_d = selected_pfn;
        RegQueueSizeSel:  rdata_d = {queue_select_q, selected_size};
        RegNotifyStatus:  rdata_d = {isr_i, status_q, 16'hffff};
        default:          rdata_d = {selected_vector, config_vector_q};
      endcase
      if (to_config) begin
        for (int unsigned i = 0; i < 4; i++) begin
          rdata_d[8*i +: 8] = inside_config[i] ? config_rdata_i[8*i +: 8] : 8'hff;
        end
      end
    end
  end

  always_comb begin
    status_d          = write_status ? wdata[23:16] : status_q;
    features_d        = (write_features & ~locked) ? new_features : features_q;
    features_locked_d = features_locked_q | notify_valid_o;
    queue_select_d    = write_select ? (queue_select_q & ~mask[31:16]) | wdata[31:16] : queue_select_q;
    config_vector_d   = write_config_vector ? valid_vector(new_config_vector) : config_vector_q;
    pfn_d             = pfn_q;
    vector_d          = vector_q;
    if (write_pfn & queue_exists & (selected_pfn == '0)) pfn_d[queue] = new_pfn;
    if (write_queue_vector & queue_exists) vector_d[queue] = valid_vector(new_queue_vector);

    if (device_reset_o) begin
      status_d          = '0;
      features_d        = '0;
      features_locked_d = 1'b0;
      queue_select_d    = '0;
      config_vector_d   = NoVector;
      pfn_d             = '0;
      vector_d          = {NumQueues{NoVector}};
    end
  end

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle: begin
        if (access) state_d = StRespond;
        if (reset_written) state_d = StFence;
        else if (read_isr) state_d = StSettle;
      end
      StFence:  if (quiet_i) state_d = StSettle;
      StSettle: if (settled_i) state_d = StRespond;
      default:  state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q           <= StIdle;
      rdata_q           <= '0;
      status_q          <= '0;
      features_q        <= '0;
      features_locked_q <= 1'b0;
      queue_select_q    <= '0;
      config_vector_q   <= NoVector;
      pfn_q             <= '0;
      vector_q          <= {NumQueues{NoVector}};
    end else begin
      state_q           <= state_d;
      rdata_q           <= rdata_d;
      status_q          <= status_d;
      features_q        <= features_d;
      features_locked_q <= features_locked_d;
      queue_select_q    <= queue_select_d;
      config_vector_q   <= config_vector_d;
      pfn_q             <= pfn_d;
      vector_q          <= vector_d;
    end
  end

endmodule
