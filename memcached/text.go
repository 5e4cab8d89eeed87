package memcached

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
)

// protocol is how requests and answers are written.
type protocol interface {
	// login is the first exchange on a connection, where there is a user.
	login(c *conn, username, password string) error
	// write appends r to o.
	write(o *out, r *request)
	// read takes the answers to r. After an error the connection is out of step:
	// items that have been seen by then have their answers. Without an error, unseen
	// are those of which some were refused, where it is not told which.
	read(in *in, r *request) error
	// fits returns how many of items go into one round trip.
	fits(v verb, items []item) int
}

// text is the text protocol. Values are read with get and gets, which name the
// key in their answers; all else is done with the meta commands, which know more
// outcomes.
type text struct{}

var crlf = []byte("\r\n")

func (text) login(c *conn, username, password string) error {
	credentials := username + " " + password
	c.out.buf = fmt.Appendf(c.out.buf, "set login 0 0 %d\r\n%s\r\n", len(credentials), credentials)
	if err := c.out.end(); err != nil {
		return err
	}
	line, err := c.in.line()
	switch {
	case err != nil:
		return err
	case string(line) == "STORED":
		return nil
	}
	return fatal(line)
}

// fits needs no limit of the keys of one get: the server reads them all before it
// answers. The answers to other commands are short.
func (text) fits(v verb, items []item) int { return fit(v, items, chunkBytes) }

func (text) write(o *out, r *request) {
	switch r.verb {
	case vGet, vGets:
		o.buf = append(o.buf, "get"...)
		if r.verb == vGets {
			o.buf = append(o.buf, 's')
		}
		for i := range r.items {
			o.buf = append(o.buf, ' ')
			o.buf = append(o.buf, r.items[i].key...)
		}
		o.buf = append(o.buf, crlf...)
	case vPing:
		o.buf = append(o.buf, "mn\r\n"...)
	case vFlush:
		o.buf = append(o.buf, "flush_all\r\n"...)
	default:
		quiet := isQuiet(r)
		for i := range r.items {
			r.items[i].write(o, r.verb, quiet, i)
		}
		if quiet {
			o.buf = append(o.buf, "mn\r\n"...)
		}
	}
}

// largestQuiet is the largest value, in bytes, that is set quietly. What is larger than
// its slab_chunk_max, 512 KiB if not set otherwise, memcached (1.6.18) stores in pieces,
// and where it runs out of memory half-way it is silent of a quiet one.
const largestQuiet = 4 << 10

// isQuiet reports whether the server answers only what is not as expected, and then
// the command behind the last item.
func isQuiet(r *request) bool {
	if len(r.items) < 2 || r.verb != vSet && r.verb != vDelete {
		return false
	}
	for i := range r.items {
		if len(r.items[i].value) > largestQuiet {
			return false
		}
	}
	return true
}

// write appends the command for one item, the one at place in its request.
func (it *item) write(o *out, v verb, quiet bool, place int) {
	command := func(name string) {
		o.buf = append(o.buf, name...)
		o.buf = append(o.buf, it.key...)
	}
	number := func(flag string, n uint64) {
		o.buf = append(o.buf, flag...)
		o.buf = strconv.AppendUint(o.buf, n, 10)
	}
	switch v {
	case vLook:
		command("mg ")
		o.buf = append(o.buf, " f t"...)
	case vDate:
		// The date is taken after the life: a tick in between makes it a second too
		// long, never too short.
		command("mg ")
		o.buf = append(o.buf, " t c\r\nstats"...)
	case vSet, vAdd, vSwap:
		command("ms ")
		number(" ", uint64(len(it.value)))
		if it.expiry != never {
			number(" T", uint64(it.expiry))
		}
		if it.flags != 0 {
			number(" F", uint64(it.flags))
		}
		if v == vAdd {
			o.buf = append(o.buf, " ME"...)
		}
		if v == vSwap {
			number(" C", it.cas)
		}
		if quiet {
			o.buf = append(o.buf, " q"...)
		}
		o.buf = append(o.buf, crlf...)
		o.value(it.value)
	case vCount:
		command("ma ")
		if it.number < 0 {
			number(" v MD D", -uint64(it.number))
		} else {
			number(" v MI D", uint64(it.number))
		}
		number(" C", it.cas)
	case vDelete:
		command("md ")
		if it.cas != 0 {
			number(" C", it.cas)
		}
		if quiet {
			number(" q O", uint64(place))
		}
	}
	o.buf = append(o.buf, crlf...)
}

func (text) read(in *in, r *request) error {
	switch {
	case r.verb == vGet || r.verb == vGets:
		return readValues(in, r.items)
	case isQuiet(r):
		return readFaults(in, r)
	case len(r.items) == 0:
		line, err := in.line()
		if err != nil || string(line) == "MN" || string(line) == "OK" {
			return err
		}
		return fatal(line)
	}
	for i := range r.items {
		in.next()
		if err := r.items[i].read(in, r.verb); err != nil {
			return err
		}
	}
	return nil
}

// readFaults takes the answers to a quiet request. That a key to delete is not there
// comes with the place of the item. That something could not be stored comes without:
// then nothing is known of any item.
func readFaults(in *in, r *request) error {
	refused := 0
	for {
		in.next()
		line, err := in.line()
		if err != nil {
			return err
		}
		if string(line) == "MN" {
			break
		}
		if r.verb == vSet && refused < len(r.items) && refusal(line) != nil {
			refused++
			continue
		}
		place, ok := bytes.CutPrefix(line, []byte("NF O"))
		i, err := strconv.Atoi(string(place))
		if r.verb != vDelete || !ok || err != nil || i < 0 || i >= len(r.items) || r.items[i].seen {
			return fatal(line)
		}
		r.items[i].answer(false)
	}
	for i := range r.items {
		if !r.items[i].seen && refused == 0 {
			r.items[i].answer(true)
		}
	}
	return nil
}

// readValues takes the answer to get, which has the values in the order of the
// keys and leaves out those that are not there.
func readValues(in *in, items []item) error {
	for i := 0; ; i++ {
		in.next()
		line, err := in.line()
		if err != nil {
			return err
		}
		if string(line) == "END" {
			break
		}
		rest, ok := bytes.CutPrefix(line, []byte("VALUE "))
		if !ok {
			return fatal(line)
		}
		key, rest, _ := bytes.Cut(rest, []byte(" "))
		for i < len(items) && items[i].key != string(key) {
			i++
		}
		if i == len(items) {
			return errNonsense // a key that was not asked for
		}
		if err := items[i].readValue(in, rest, len(items) > 1); err != nil {
			return err
		}
	}
	for i := range items {
		items[i].seen = true
	}
	return nil
}

// readValue takes what follows the key: flags, length, perhaps the cas, and then
// the value.
func (it *item) readValue(in *in, rest []byte, together bool) error {
	flags, rest, ok := cutNumber(rest, math.MaxUint32)
	length, rest, ok2 := cutNumber(rest, math.MaxInt32)
	if !ok || !ok2 {
		return errNonsense
	}
	it.flags, it.cas = uint32(flags), 0
	if len(rest) > 0 {
		if it.cas, rest, ok = cutNumber(rest, math.MaxUint64); !ok || len(rest) > 0 {
			return errNonsense
		}
	}
	value, err := in.value(int(length), together, it.value)
	if err != nil {
		return err
	}
	if err := in.end(); err != nil {
		return err
	}
	it.value, it.ok = value, true // and seen at the end
	return nil
}

// end takes the end of the line after a value.
func (in *in) end() error {
	end, err := in.Peek(len(crlf))
	if err != nil {
		return err
	}
	if !bytes.Equal(end, crlf) {
		return errNonsense
	}
	_, err = in.Discard(len(crlf))
	return err
}

// cutNumber takes a number, up to most, and the blank after it off rest.
func cutNumber(rest []byte, most uint64) (n uint64, _ []byte, ok bool) {
	i := 0
	for ; i < len(rest) && rest[i] != ' '; i++ {
		digit := uint64(rest[i] - '0')
		if digit > 9 || n > (most-digit)/10 {
			return 0, nil, false
		}
		n = 10*n + digit
	}
	return n, rest[min(i+1, len(rest)):], i > 0
}

// read takes the answer to the command for one item.
func (it *item) read(in *in, v verb) error {
	line, err := in.line()
	if err != nil {
		return err
	}
	word, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "HD":
		if v == vCount || !it.readFlags(rest) {
			return errNonsense
		}
		it.answer(true)
		if v == vDate {
			return it.readDate(in)
		}
	case "VA":
		if v != vCount {
			return errNonsense
		}
		return it.readSum(in, rest)
	case "EN", "NF", "NS", "EX":
		it.answer(false)
		if v == vDate {
			return it.readDate(in)
		}
	default:
		if err := refusal(line); err != nil {
			it.fail(err)
			return nil
		}
		return fatal(line)
	}
	return nil
}

// readFlags takes what an answer without a value says of the item.
func (it *item) readFlags(rest []byte) bool {
	for flag := range bytes.FieldsSeq(rest) {
		var err error
		var flags uint64
		switch number := string(flag[1:]); flag[0] {
		case 'f':
			flags, err = strconv.ParseUint(number, 10, 32)
			it.flags = uint32(flags)
		case 't':
			it.expiry, err = strconv.ParseInt(number, 10, 64)
		case 'c':
			it.cas, err = strconv.ParseUint(number, 10, 64)
		}
		if err != nil {
			return false
		}
	}
	return true
}

// readDate takes the server's statistics, for the time that they tell, and makes
// a date of the remaining life.
func (it *item) readDate(in *in) error {
	var now int64
	for {
		line, err := in.line()
		if err != nil {
			return err
		}
		if string(line) == "END" {
			break
		}
		rest, ok := bytes.CutPrefix(line, []byte("STAT "))
		if !ok {
			return fatal(line)
		}
		if seconds, ok := bytes.CutPrefix(rest, []byte("time ")); ok {
			if now, err = strconv.ParseInt(string(seconds), 10, 64); err != nil {
				return errNonsense
			}
		}
	}
	if now <= longestRelative {
		return errNonsense
	}
	if it.expiry < 0 {
		it.expiry = never
	} else {
		it.expiry += now
	}
	return nil
}

func (it *item) readSum(in *in, rest []byte) error {
	length, _, ok := cutNumber(rest, math.MaxInt32)
	if !ok || length > bufferSize {
		return errNonsense
	}
	line, err := in.line()
	if err != nil {
		return err
	}
	if len(line) != int(length) {
		return errNonsense
	}
	if it.number, err = strconv.ParseInt(string(line), 10, 64); err != nil {
		return errNonsense
	}
	it.answer(true)
	return nil
}

// refusal returns why the server did not do what an item asked for, or nil where
// line tells something else.
func refusal(line []byte) error {
	kind := func(kind error) error { return fmt.Errorf("%w: %s", kind, line) }
	switch text := string(line); {
	case strings.HasPrefix(text, "SERVER_ERROR out of memory"), strings.HasPrefix(text, "SERVER_ERROR Out of memory"):
		return kind(cache.ErrFull)
	case text == "SERVER_ERROR object too large for cache":
		return kind(cache.ErrTooLarge)
	case text == "CLIENT_ERROR cannot increment or decrement non-numeric value":
		return kind(cache.ErrNotInteger)
	}
	return nil
}

// Answers after which a connection is of no use, by what they begin with.
var fatals = []struct {
	begin string
	kind  error
}{
	{"CLIENT_ERROR unauthenticated", cache.ErrAuth},
	{"CLIENT_ERROR authentication failure", cache.ErrAuth},
	{"ERROR Too many open connections", cache.ErrUnavailable},
}

// fatal makes an error of a line that is not the answer to what was asked. It
// shows no more of it than the server's own words for errors, for the rest may be
// part of a value.
func fatal(line []byte) error {
	for _, f := range fatals {
		if strings.HasPrefix(string(line), f.begin) {
			return refused{fmt.Errorf("%w: %s", f.kind, f.begin)}
		}
	}
	for _, word := range []string{"ERROR", "CLIENT_ERROR", "SERVER_ERROR"} {
		if bytes.HasPrefix(line, []byte(word)) {
			return fmt.Errorf("%w: %s", errNonsense, word)
		}
	}
	return errNonsense
}
