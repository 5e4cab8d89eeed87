package wire

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// text is the text protocol. It reads values with get and gets, which the server executes
// faster than mg, and does everything else with the meta commands, whose replies
// distinguish more outcomes.
type text struct{}

var crlf = []byte("\r\n")

const (
	// maxQuiet is the largest value, in bytes, that is set quietly. memcached 1.6.18
	// stores values larger than its slab_chunk_max (512 KiB by default) in pieces. If it
	// runs out of memory half-way, it sends no reply to a quiet set.
	maxQuiet = 4 << 10

	// MaxRelative is the largest expiry in seconds that is a duration. A larger one is a
	// date.
	MaxRelative = 30 * 24 * 60 * 60
)

func (text) login(c *conn, username, password string) error {
	credentials := username + " " + password
	c.w.buf = fmt.Appendf(c.w.buf, "set login 0 0 %d\r\n%s\r\n", len(credentials), credentials)
	if err := c.w.flush(); err != nil {
		return err
	}
	line, err := c.r.line()
	if err != nil || string(line) == "STORED" {
		return err
	}
	return fatal(string(line))
}

// maxBytes needs no limit for get and gets: the server reads all keys before it replies.
// Only mg has long replies while the server reads further keys.
func (text) maxBytes(op Op) int {
	if op == OpGetTTL || op == OpPeek {
		return maxBatch
	}
	return chunkBytes
}

func (text) write(w *writer, r *Request) {
	switch r.Op {
	case OpGet:
		w.string("get")
		for i := range r.Items {
			w.string(" ", r.Items[i].Key)
		}
		w.string("\r\n")
	case OpPing:
		w.string("mn\r\n")
	case OpFlush:
		w.string("flush_all\r\n")
	case OpStats:
		w.string("stats\r\n")
	default:
		quiet := isQuiet(r)
		for i := range r.Items {
			w.meta(r.Op, &r.Items[i], quiet)
		}
		if quiet {
			w.string("mn\r\n")
		}
	}
}

// isQuiet reports whether the server replies only to items that it rejects, and to the
// command that ends the request.
func isQuiet(r *Request) bool {
	large := func(it Item) bool { return len(it.Value) > maxQuiet }
	return r.Op == OpSet && len(r.Items) > 1 && !slices.ContainsFunc(r.Items, large)
}

// meta appends the commands for one item.
func (w *writer) meta(op Op, it *Item, quiet bool) {
	switch op {
	case OpGets:
		w.string("mg ", it.Key, " c\r\nget ", it.Key, "\r\n")
	case OpMeta:
		w.string("mg ", it.Key, " f t c\r\n")
	case OpDescribe:
		w.string("mg ", it.Key, " f t s u\r\n")
	case OpGetTTL:
		w.string("mg ", it.Key, " v f t c k\r\n")
	case OpPeek:
		w.string("mg ", it.Key, " v f t c u k\r\n")
	case OpExpiryTime:
		// The server's time is read after the remaining TTL: if it ticks in between, the
		// expiry is a second too late, never too early.
		w.string("mg ", it.Key, " t c\r\nstats\r\n")
	case OpIncrement:
		w.string("ma ", it.Key)
		if it.Number < 0 {
			w.number(" v MD D", -uint64(it.Number))
		} else {
			w.number(" v MI D", uint64(it.Number))
		}
		w.number(" C", it.CAS)
		w.string("\r\n")
	case OpDelete:
		if it.CAS != 0 {
			w.string("md ", it.Key)
			w.number(" C", it.CAS)
			w.string("\r\n")
			return
		}
		// An expiry in the past removes the item and returns its flags in one step. The
		// second command makes the server free the memory.
		w.string("mg ", it.Key, " f T-1\r\nmg ", it.Key, "\r\n")
	default: // OpSet, OpAdd, OpCompareAndSwap, OpLease
		w.string("ms ", it.Key)
		w.number(" ", uint64(len(it.Value)))
		w.optional(" T", uint64(it.Expiry))
		w.optional(" F", uint64(it.Flags))
		if op == OpAdd || op == OpLease {
			w.string(" ME")
		}
		if op == OpLease {
			w.string(" c")
		}
		if op == OpCompareAndSwap {
			w.number(" C", it.CAS)
		}
		if quiet {
			w.string(" q")
		}
		w.string("\r\n")
		w.value(it.Value)
		w.string("\r\n")
		switch {
		case op == OpLease:
			w.string("gets ", it.Key, "\r\n")
		case it.replies(op) > 1:
			w.string("mg ", it.Key, " f c\r\n")
		}
	}
}

func (w *writer) number(flag string, n uint64) {
	w.string(flag)
	w.buf = strconv.AppendUint(w.buf, n, 10)
}

// optional appends a flag unless its number is 0, which is the server's default.
func (w *writer) optional(flag string, n uint64) {
	if n != 0 {
		w.number(flag, n)
	}
}

func (text) read(in *reader, r *Request) error {
	switch {
	case r.Op == OpGet:
		return readValues(in, r.Items)
	case r.Op == OpStats:
		r.stats = unknownStats
		return in.stats(r.stat)
	case isQuiet(r):
		return readQuiet(in, r.Items)
	case len(r.Items) == 0:
		line, err := in.line()
		if err != nil || string(line) == "MN" || string(line) == "OK" {
			return err
		}
		return fatal(string(line))
	}
	for i := range r.Items {
		in.nextReply()
		if err := r.readItem(in, i); err != nil {
			return err
		}
	}
	return nil
}

// readItem reads the replies for the i-th item. It is answered when the last is read. The
// second reply does not change what the first says about the write.
func (r *Request) readItem(in *reader, i int) error {
	it := &r.Items[i]
	replies := it.replies(r.Op)
	if err := it.readMeta(in, r.Op); err != nil || replies == 1 {
		return err
	}
	first := *it
	it.OK, it.Answered = false, false
	switch r.Op {
	case OpLease:
		it.Value, it.CAS = nil, 0
		fault := readValues(in, r.Items[i:i+1])
		if first.OK && first.CAS != 0 && fault == nil { // what gets has found came later
			*it = first
		}
		return fault
	case OpGets:
		fault := readValues(in, r.Items[i:i+1])
		it.OK, it.CAS, it.Err = it.OK && first.OK, first.CAS, first.Err
		return fault
	}
	fault := it.readMeta(in, r.Op)
	it.OK, it.Err = first.OK, first.Err
	return fault
}

// readQuiet reads the replies to a quiet request. The reply that an item was rejected does
// not name it: then no item is answered.
func readQuiet(in *reader, items []Item) error {
	for rejected := 0; ; rejected++ {
		in.nextReply()
		line, err := in.line()
		if err != nil {
			return err
		}
		if string(line) == "MN" {
			for i := range items {
				items[i].OK, items[i].Answered = rejected == 0, rejected == 0
			}
			return nil
		}
		if find(rejections, string(line)) == nil {
			return fatal(string(line))
		}
		if rejected == len(items) {
			return ErrMalformed
		}
	}
}

// readValues reads the reply to get, which has the values in the order of the keys and
// omits absent ones.
func readValues(in *reader, items []Item) error {
	for i := 0; ; i++ {
		in.nextReply()
		line, err := in.line()
		if err != nil {
			return err
		}
		if string(line) == "END" {
			break
		}
		rest, ok := bytes.CutPrefix(line, []byte("VALUE "))
		if !ok {
			return fatal(string(line))
		}
		key, rest, _ := bytes.Cut(rest, []byte(" "))
		for i < len(items) && items[i].Key != string(key) {
			i++
		}
		if i == len(items) {
			return ErrMalformed // a key that was not requested
		}
		if err := items[i].readValue(in, rest); err != nil {
			return err
		}
	}
	for i := range items {
		items[i].Answered = true
	}
	return nil
}

// readValue reads what follows the key: flags, length, perhaps the CAS, and the value.
func (it *Item) readValue(in *reader, rest []byte) error {
	flags, rest, ok := cutNumber(rest, math.MaxUint32)
	length, rest, ok2 := cutNumber(rest, math.MaxInt32)
	if !ok || !ok2 {
		return ErrMalformed
	}
	it.Flags, it.CAS = uint32(flags), 0
	if len(rest) > 0 {
		if it.CAS, rest, ok = cutNumber(rest, math.MaxUint64); !ok || len(rest) > 0 {
			return ErrMalformed
		}
	}
	return it.readBlock(in, length)
}

// readBlock reads the value and the end of its line. The caller sets Answered when the
// reply is complete.
func (it *Item) readBlock(in *reader, length uint64) error {
	value, err := in.value(int(length), it.Value)
	if err != nil {
		return err
	}
	end, err := in.Peek(len(crlf))
	if err != nil {
		return err
	}
	if !bytes.Equal(end, crlf) {
		return ErrMalformed
	}
	it.Value, it.OK = value, true
	_, err = in.Discard(len(crlf))
	return err
}

// cutNumber cuts a number of at most limit, and the space after it, off rest.
func cutNumber(rest []byte, limit uint64) (n uint64, _ []byte, ok bool) {
	i := 0
	for ; i < len(rest) && rest[i] != ' '; i++ {
		digit := uint64(rest[i] - '0')
		if digit > 9 || n > (limit-digit)/10 {
			return 0, nil, false
		}
		n = 10*n + digit
	}
	return n, rest[min(i+1, len(rest)):], i > 0
}

// readMeta reads the reply to the meta command for one item.
func (it *Item) readMeta(in *reader, op Op) error {
	line, err := in.line()
	if err != nil {
		return err
	}
	code, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(code) {
	case "HD":
		if op == OpIncrement || op == OpGetTTL || op == OpPeek || !it.readFlags(rest) {
			return ErrMalformed
		}
		it.Answer(true)
	case "VA":
		switch op {
		case OpIncrement:
			return it.readSum(in, rest)
		case OpGetTTL, OpPeek:
			return it.readEntryTTL(in, rest)
		}
		return ErrMalformed
	case "EN", "NF", "NS", "EX":
		it.Answer(false)
	default:
		if err := find(rejections, string(line)); err != nil {
			it.Fail(err)
			return nil
		}
		err := fatal(string(line))
		if !isServerError(err) || op == OpExpiryTime {
			return err
		}
		it.failOnServer(op, singleCommand(err))
		return nil
	}
	if op == OpExpiryTime {
		return it.readExpiryTime(in)
	}
	return nil
}

// readEntryTTL reads the reply to OpGetTTL and OpPeek: the length, the flags of which the last is the
// key, and the value.
func (it *Item) readEntryTTL(in *reader, rest []byte) error {
	length, rest, ok := cutNumber(rest, math.MaxInt32)
	begin, named := bytes.CutSuffix(rest, []byte(it.Key))
	if !ok || !named || !bytes.HasSuffix(begin, []byte(" k")) || !it.readFlags(rest) {
		return ErrMalformed
	}
	if err := it.readBlock(in, length); err != nil {
		return err
	}
	it.Answer(true)
	return nil
}

// readFlags reads what a reply to a meta command says about the entry.
func (it *Item) readFlags(rest []byte) bool {
	for flag := range bytes.FieldsSeq(rest) {
		var err error
		var flags uint64
		switch number := string(flag[1:]); flag[0] {
		case 'f':
			flags, err = strconv.ParseUint(number, 10, 32)
			it.Flags = uint32(flags)
		case 't':
			it.Expiry, err = strconv.ParseInt(number, 10, 64)
		case 'c':
			it.CAS, err = strconv.ParseUint(number, 10, 64)
		case 's':
			it.Number, err = strconv.ParseInt(number, 10, 64)
		}
		if err != nil {
			return false
		}
	}
	return true
}

// readExpiryTime reads the server's statistics, which have its time, and turns the
// remaining TTL into a date.
func (it *Item) readExpiryTime(in *reader) error {
	var now int64
	err := in.stats(func(name, text []byte) (err error) {
		if string(name) == "time" {
			now, err = strconv.ParseInt(string(text), 10, 64)
		}
		return err
	})
	if err != nil {
		return err
	}
	if now <= MaxRelative {
		return ErrMalformed
	}
	if it.Expiry += now; it.Expiry < now {
		it.Expiry = 0 // never
	}
	return nil
}

func (it *Item) readSum(in *reader, rest []byte) error {
	length, _, ok := cutNumber(rest, readBuffer)
	if !ok {
		return ErrMalformed
	}
	line, err := in.line()
	if err != nil {
		return err
	}
	it.Number, err = strconv.ParseInt(string(line), 10, 64)
	if err != nil || len(line) != int(length) {
		return ErrMalformed
	}
	it.Answer(true)
	return nil
}
