// What stands between a function's requests and the pins of tx_req: it changes, loses, swaps and invents packets.
module hostile_requests
  import hostile_pkg::*;
#(
    parameter int unsigned DataWidth = 256,
    parameter int unsigned QueueSize = 256
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  kind_e                kind_i,
    input  logic [31:0]          ring_i,
    input  logic                 running_i,
    input  logic                 was_reset_i,
    input  logic                 bus_master_i,
    input  logic                 mastered_i,
    // From the function.
    input  logic                 valid_i,
    output logic                 ready_o,
    input  logic [127:0]         hdr_i,
    input  logic [DataWidth-1:0] data_i,
    input  logic                 last_i,
    // To the pins.
    output logic                 valid_o,
    input  logic                 ready_i,
    output logic [127:0]         hdr_o,
    output logic [DataWidth-1:0] data_o,
    output logic                 last_o
);

  localparam logic [7:0] Read = 8'h00, Write = 8'h40, Message = 8'h34;
  localparam logic [31:0] RingBytes = 32'(QueueSize * 16 + 2 * (QueueSize + 3));
  localparam logic [31:0] UsedOffset = (RingBytes + 32'd4095) & ~32'd4095;
  localparam logic [31:0] ElementBytes = 32'(QueueSize * 8);
  localparam logic [31:0] MessageWindow = 32'hfee0_0000;

  // What kind of packet the function sends. Its header counts on the first beat only.
  logic first_q;
  wire [7:0]  form = hdr_i[127:120];
  wire [9:0]  length = hdr_i[105:96];
  wire [31:0] address = {hdr_i[63:34], 2'b00};
  wire [31:0] used = ring_i + UsedOffset;
  wire        has_ring = (ring_i != '0);
  wire        is_message = (form == Write) & (address[31:20] == MessageWindow[31:20]);
  wire        is_intx = (form == Message);
  wire        is_index = (form == Write) & has_ring & (address == used);
  wire        is_element = (form == Write) & has_ring & (address - used - 32'd4 < ElementBytes);
  wire        in_ring = has_ring & (address - ring_i < UsedOffset + 32'd8 + ElementBytes);
  wire        is_data = (form == Write) & ~is_message & ~in_ring;
  wire        is_data_read = (form == Read) & has_ring & ~in_ring;

  // What was seen of it.
  logic [15:0]          id_q, function_q;
  logic [31:0]          read_q, written_q;
  logic [127:0]         message_hdr_q;
  logic [DataWidth-1:0] message_q;
  logic                 message_known_q, write_known_q;
  logic [127:0]         write_hdr_q;
  logic [DataWidth-1:0] write_q;

  // A packet of its own: for ever, or now and then.
  logic [127:0]         own_hdr, own_hdr_q, own_hdr_now;
  logic [DataWidth-1:0] own_data, own_data_q, own_data_now;
  logic                 own_valid, own_turn_q, level_q;
  logic [9:0]           clocks_q;
  wire                  now_and_then = (clocks_q == '0);

  // A packet that is held until another one has passed.
  logic                 passed_q, holding_q;
  logic [127:0]         held_hdr_q;
  logic [DataWidth-1:0] held_q;

  // A whole packet is lost: decided at its first beat.
  logic losing_q;
  logic lose;
  always_comb begin
    lose = losing_q;
    if (first_q) begin
      unique case (kind_i)
        used_length_of_unwritten: lose = is_data & (length > 10'd1);
        intx_never_lowered:       lose = is_intx & (hdr_i[71:64] == 8'h24);
        interrupts_lost:          lose = is_intx | is_message;
        index_before_element:     lose = is_element & ~holding_q;
        default:                  lose = 1'b0;
      endcase
    end
  end

  // What is changed in a packet.
  logic [127:0]         hdr;
  logic [DataWidth-1:0] data;
  always_comb begin
    hdr  = hdr_i;
    data = data_i;
    if (first_q) begin
      unique case (kind_i)
        used_id_too_big:      if (is_element) data[31:0] = data_i[31:0] + 32'(QueueSize);
        used_id_not_offered:  if (is_element) data[31:0] = data_i[31:0] ^ 32'(QueueSize / 2);
        used_id_repeated:     if (is_element) data[31:0] = 32'(id_q);
        used_id_inside_chain: if (is_element) data[31:0] = data_i[31:0] + 32'd1;
        used_length_too_long: if (is_element) data[63:32] = data_i[63:32] + 32'h1_0000;
        used_index_jumps:     if (is_index) data[31:16] = data_i[31:16] + 16'd3;
        used_index_goes_back: if (is_index) data[31:16] = data_i[31:16] - 16'd2;
        used_index_torn:      if (is_index) hdr[67:64] = 4'b0100;
        write_to_descriptors: if (is_data & has_ring) hdr[63:32] = ring_i;
        write_to_available_ring: if (is_data & has_ring) hdr[63:32] = ring_i + 32'(QueueSize * 16);
        write_to_readable_buffer: if (is_data) hdr[63:32] = read_q;
        write_anywhere:       if (is_data) hdr[63:32] = address ^ 32'h0800_0000;
        read_anywhere:        if (is_data_read) hdr[63:32] = address ^ 32'h0800_0000;
        read_writable_buffer: if (is_data_read & (written_q != '0)) hdr[63:32] = written_q;
        message_wrong_address: if (is_message) hdr[63:32] = address ^ 32'h1000;
        message_wrong_data:   if (is_message) data[31:0] = data_i[31:0] ^ 32'h1;
        page_crossed:         if (is_data & (length > 10'd1)) hdr[43:34] = '1;
        length_beyond_payload: if (is_data) hdr[105:96] = length + 10'd512;
        length_zero:          if (is_data) hdr[105:96] = '0;
        enables_wrong:        if (is_index) hdr[71:68] = 4'b1111;
        type_unknown:         if (is_data) hdr[127:120] = 8'h5f;
        default: ;
      endcase
    end
  end

  // What its own packet is.
  wire [127:0] any_message = {32'h4000_0001, function_q, 16'h000f, MessageWindow, 32'd0};
  wire [127:0] ring_read = {32'h0000_0001, function_q, 8'd31, 8'h0f, ring_i + 32'(QueueSize * 16), 32'd0};
  wire [127:0] line = {32'h3400_0000, function_q, 8'd0, level_q ? 8'h24 : 8'h20, 64'd0};

  always_comb begin
    own_valid = 1'b0;
    own_hdr   = any_message;
    own_data  = '0;
    unique case (kind_i)
      msix_flood: begin
        own_valid = running_i;
        if (message_known_q) own_hdr = message_hdr_q;
        own_data = message_q;
      end
      tag_reused: begin
        own_valid = running_i & has_ring & (clocks_q < 10'd2);
        own_hdr   = ring_read;
      end
      message_unasked: own_valid = has_ring & now_and_then;
      intx_flood: begin
        own_valid = running_i;
        own_hdr   = line;
      end
      intx_without_cause: begin
        own_valid = has_ring & now_and_then;
        own_hdr   = line;
      end
      read_flood: begin
        own_valid = running_i & has_ring;
        own_hdr   = ring_read;
      end
      write_flood: begin
        own_valid = running_i & write_known_q;
        own_hdr   = write_hdr_q;
        own_data  = write_q;
      end
      dma_after_reset, dma_without_bus_master: begin
        own_valid = now_and_then & ((kind_i == dma_after_reset) ? was_reset_i : mastered_i & ~bus_master_i);
        own_hdr   = ring_read;
      end
      index_before_element: begin
        own_valid = holding_q & passed_q;
        own_hdr   = held_hdr_q;
        own_data  = held_q;
      end
      default: ;
    endcase
  end

  // Who is on the pins: a waiting packet stays there, a packet that has begun goes on.
  logic waiting_q, own_q, halted_q, running_off_q;
  logic own;
  always_comb begin
    if (waiting_q) own = own_q;
    else if (!first_q) own = 1'b0;
    else own = own_valid & ~(valid_i & ~lose & own_turn_q);
  end

  wire halt = halted_q | ((kind_i == tx_req_stuck) & running_i & first_q & ~waiting_q);
  wire endless = running_off_q;
  wire begins_endless = (kind_i == tx_req_endless) & running_i & is_data & first_q & ~own;

  // A packet of its own stays as it is while it waits.
  assign own_hdr_now  = waiting_q ? own_hdr_q : own_hdr;
  assign own_data_now = waiting_q ? own_data_q : own_data;

  assign valid_o = endless | (~halt & (own ? own_valid | waiting_q : valid_i & ~lose));
  assign hdr_o   = own ? own_hdr_now : hdr;
  assign data_o  = own ? own_data_now : data;
  assign last_o  = ~endless & (own | (last_i & ~begins_endless));
  assign ready_o = ~endless & ~halt & (lose | (~own & ready_i));

  wire taken = valid_i & ready_o;
  wire sent_own = own & valid_o & ready_i & ~endless;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q         <= 1'b1;
      losing_q        <= 1'b0;
      waiting_q       <= 1'b0;
      own_q           <= 1'b0;
      own_turn_q      <= 1'b0;
      level_q         <= 1'b0;
      halted_q        <= 1'b0;
      running_off_q   <= 1'b0;
      holding_q       <= 1'b0;
      passed_q        <= 1'b0;
      message_known_q <= 1'b0;
      write_known_q   <= 1'b0;
      clocks_q        <= 10'd1;
      id_q            <= '0;
      function_q      <= 16'h0100;
      read_q          <= '0;
      written_q       <= '0;
      own_hdr_q       <= '0;
      own_data_q      <= '0;
    end else begin
      if (sent_own | ~own_valid) clocks_q <= clocks_q + 10'd1;
      waiting_q <= valid_o & ~ready_i;
      own_q     <= own;
      if (own) begin
        own_hdr_q  <= own_hdr_now;
        own_data_q <= own_data_now;
      end
      if (sent_own) begin
        own_turn_q <= 1'b1;
        level_q    <= ~level_q;
        holding_q  <= 1'b0;
        passed_q   <= 1'b0;
      end
      if (taken) begin
        first_q    <= last_i;
        losing_q   <= lose & ~last_i;
        own_turn_q <= 1'b0;
      end
      if (taken & first_q) begin
        function_q <= hdr_i[95:80];
        if (is_element) id_q <= data_i[15:0];
        if (is_data_read) read_q <= address;
        if (is_data) begin
          written_q     <= address;
          if (last_i) write_hdr_q <= hdr_i;
          if (last_i) write_q <= data_i;
          write_known_q <= write_known_q | last_i;
        end
        if (is_message) begin
          message_hdr_q   <= hdr_i;
          message_q       <= data_i;
          message_known_q <= 1'b1;
        end
        if (lose & (kind_i == index_before_element)) begin
          holding_q  <= 1'b1;
          held_hdr_q <= hdr_i;
          held_q     <= data_i;
        end
        if (is_index & holding_q) passed_q <= 1'b1;
        if ((kind_i == tx_req_halts) & is_data & ~last_i) halted_q <= 1'b1;
        if (begins_endless) running_off_q <= 1'b1;
      end
    end
  end


endmodule
