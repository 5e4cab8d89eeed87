package memcached

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Special replies of a fake.
const (
	silent  = "silent" // the connection stays open
	hangUp  = "hang up"
	partial = "partial " // what follows is sent before hanging up
	surplus = "surplus " // what follows is sent after the right reply
	lost    = "lost"     // the command is executed; then the connection ends
	torn    = "torn"     // the same after half of the reply
)

// fake is a memcached that keeps entries in a map and supports both protocols. A test
// may replace its replies.
type fake struct {
	addr     string
	login    string // "user pw", where one is needed
	maxBytes int    // of a value, 1 MiB as of a real one
	listener net.Listener

	mu        sync.Mutex
	answer    func(n int, command string) string // n counts the commands of that name, from 1
	entries   map[string]*entry
	cas       uint64
	evictions int64
	counts    map[string]int // commands by name, and connections as "conns"
	changes   map[string]int // of each key
	conns     map[net.Conn]bool
}

// Opcodes and statuses of the binary protocol. Gets are those that return the key.
const (
	codeSet, codeSetQuiet       = 0x01, 0x11
	codeAdd                     = 0x02
	codeDelete, codeDeleteQuiet = 0x04, 0x14
	codeIncrement               = 0x05
	codeDecrement               = 0x06
	codeFlush                   = 0x08
	codeNoop                    = 0x0a
	codeGet, codeGetQuiet       = 0x0c, 0x0d
	codeStats                   = 0x10
	codeLogin                   = 0x21

	statusOK         = 0x00
	statusAbsent     = 0x01
	statusExists     = 0x02
	statusTooLarge   = 0x03
	statusNotInteger = 0x06
	statusAuth       = 0x20
	statusUnknown    = 0x81
	statusFull       = 0x82

	magicRequest, magicReply = 0x80, 0x81
	headerSize               = 24
)

type entry struct {
	value  string
	flags  uint32
	expiry int64 // as it was sent
	cas    uint64
}

// fakeTime is the time in the statistics of a fake.
const fakeTime = 2_000_000_000

func startFake(t *testing.T, answer func(n int, command string) string) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveFake(t, listener, answer)
}

func startFakeTLS(t *testing.T, config *tls.Config) *fake {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	return serveFake(t, listener, nil)
}

func serveFake(t *testing.T, listener net.Listener, answer func(n int, command string) string) *fake {
	f := &fake{
		addr: listener.Addr().String(), listener: listener, answer: answer, maxBytes: 1 << 20,
		entries: map[string]*entry{}, counts: map[string]int{}, changes: map[string]int{}, conns: map[net.Conn]bool{},
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[conn] = true
			f.counts["conns"]++
			f.mu.Unlock()
			running.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		f.dropAll()
		running.Wait()
	})
	return f
}

// dropAll closes all connections, as a restart does.
func (f *fake) dropAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.conns {
		conn.Close()
	}
}

// answers replaces the replies from now on; nil restores them.
func (f *fake) answers(answer func(n int, command string) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[name]
}

// changed returns how often key was stored or removed.
func (f *fake) changed(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes[key]
}

// at returns a copy of what is stored under key.
func (f *fake) at(key string) (entry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.entries[key]
	if e == nil {
		return entry{}, false
	}
	return *e, true
}

func (f *fake) keys() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.entries))
}

func (f *fake) store(key string, e entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(key, e)
}

func (f *fake) put(key string, e entry) {
	f.cas++
	e.cas = f.cas
	f.entries[key] = &e
}

func (f *fake) remove(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.entries, key)
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	w := bufio.NewWriter(conn)
	known := false
	for {
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return
			}
		}
		first, err := r.Peek(1)
		if err != nil {
			return
		}
		var kind, reply string
		if first[0] == magicRequest {
			kind, reply, err = f.binary(r, &known)
		} else {
			kind, reply, err = f.text(r, &known)
		}
		if err != nil {
			return
		}
		switch kind {
		case silent:
			w.Flush()
			io.Copy(io.Discard, r)
			return
		case hangUp:
			w.Flush()
			return
		}
		rest, ends := strings.CutPrefix(reply, partial)
		w.WriteString(rest)
		if ends {
			w.Flush()
			return
		}
	}
}

// choose counts a command and returns the reply of the test, or "".
func (f *fake) choose(command string) string {
	name, _, _ := strings.Cut(command, " ")
	f.mu.Lock()
	f.counts[name]++
	n, answer := f.counts[name], f.answer
	f.mu.Unlock()
	if answer == nil {
		return ""
	}
	return answer(n, command)
}

func (f *fake) text(r *bufio.Reader, known *bool) (kind, answer string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", "", err
	}
	line = strings.TrimRight(line, "\r\n")
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", "ERROR\r\n", nil
	}
	value, err := f.block(r, words)
	if err != nil {
		return "", "", err
	}
	wanted := f.choose(line)
	extra, _ := strings.CutPrefix(wanted, surplus)
	switch {
	case wanted == "", wanted == lost, wanted == torn:
	case wanted == silent, wanted == hangUp:
		return wanted, "", nil
	case extra == wanted:
		return "", wanted, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.observe(&answer, wanted, extra, words[min(1, len(words)-1)])()
	if *known = *known || f.login == ""; !*known {
		if *known = words[0] == "set" && value == f.login; *known {
			return "", "STORED\r\n", nil
		}
		if words[0] == "set" {
			return "", "CLIENT_ERROR authentication failure\r\n", nil
		}
		return "", "CLIENT_ERROR unauthenticated\r\n", nil
	}
	return "", quieted(words, f.execute(words, value)), nil
}

// observe returns a function to call after a command on key is executed. It counts a
// change, and makes of the reply what the test wants.
func (f *fake) observe(reply *string, wanted, extra, key string) func() {
	before := f.entries[key]
	return func() {
		if f.entries[key] != before {
			f.changes[key]++
		}
		switch wanted {
		case lost:
			*reply = partial
		case torn:
			*reply = partial + (*reply)[:len(*reply)/2]
		default:
			*reply += extra
		}
	}
}

// quieted applies the flags q and O of a meta command to its reply.
func quieted(words []string, answer string) string {
	if !slices.Contains(words, "q") {
		return answer
	}
	if answer == "HD\r\n" || answer == "EN\r\n" {
		return ""
	}
	if opaque, ok := flag(words[2:], "O"); ok {
		return fmt.Sprintf("%s O%d\r\n", strings.TrimSuffix(answer, "\r\n"), opaque)
	}
	return answer
}

// block reads the value that follows a command.
func (f *fake) block(r *bufio.Reader, words []string) (string, error) {
	place := map[string]int{"ms": 2, "set": 4, "add": 4, "cas": 4}[words[0]]
	if place == 0 {
		return "", nil
	}
	n, err := strconv.Atoi(words[place])
	if err != nil {
		return "", err
	}
	block := make([]byte, n+2)
	_, err = io.ReadFull(r, block)
	return string(block[:n]), err
}

// flag returns the number after a letter among the words of a meta command.
func flag(words []string, letter string) (n uint64, ok bool) {
	for _, word := range words {
		if digits, has := strings.CutPrefix(word, letter); has && digits != "" {
			n, _ = strconv.ParseUint(digits, 10, 64)
			return n, true
		}
	}
	return 0, false
}

func (f *fake) execute(words []string, value string) string {
	var e *entry
	var key string
	if len(words) > 1 {
		key = words[1]
		e = f.entries[key]
	}
	cas, compares := flag(words[min(2, len(words)):], "C")
	differs := compares && e != nil && e.cas != cas
	switch words[0] {
	case "get", "gets":
		var b strings.Builder
		for _, key := range words[1:] {
			if e := f.entries[key]; e != nil {
				fmt.Fprintf(&b, "VALUE %s %d %d", key, e.flags, len(e.value))
				if words[0] == "gets" {
					fmt.Fprintf(&b, " %d", e.cas)
				}
				fmt.Fprintf(&b, "\r\n%s\r\n", e.value)
			}
		}
		return b.String() + "END\r\n"
	case "mg":
		if e == nil {
			return "EN\r\n"
		}
		left := e.expiry
		switch {
		case left == 0:
			left = -1
		case left > fakeTime:
			left -= fakeTime
		}
		reply, block := "HD", ""
		for _, word := range words[2:] {
			switch word {
			case "v":
				reply, block = fmt.Sprintf("VA %d", len(e.value)), e.value+"\r\n"
			case "f":
				reply += fmt.Sprintf(" f%d", e.flags)
			case "t":
				reply += fmt.Sprintf(" t%d", left)
			case "c":
				reply += fmt.Sprintf(" c%d", e.cas)
			case "k":
				reply += " k" + key
			case "T-1":
				delete(f.entries, key)
			}
		}
		return reply + "\r\n" + block
	case "ms":
		flags, _ := flag(words[3:], "F")
		expiry, _ := flag(words[3:], "T")
		switch {
		case len(value) > f.maxBytes:
			delete(f.entries, key)
			return "SERVER_ERROR object too large for cache\r\n"
		case slices.Contains(words, "ME") && e != nil:
			return "NS\r\n"
		case compares && e == nil:
			return "NF\r\n"
		case differs:
			return "EX\r\n"
		}
		f.put(key, entry{value: value, flags: uint32(flags), expiry: int64(expiry)})
		if slices.Contains(words[3:], "c") {
			return fmt.Sprintf("HD c%d\r\n", f.cas)
		}
		return "HD\r\n"
	case "ma":
		by, _ := flag(words[2:], "D")
		switch {
		case e == nil:
			return "NF\r\n"
		case differs:
			return "EX\r\n"
		}
		sum, ok := e.counted(by, slices.Contains(words, "MD"))
		if !ok {
			return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
		}
		f.put(key, *e)
		return fmt.Sprintf("VA %d\r\n%s\r\n", len(sum), sum)
	case "md":
		switch {
		case e == nil:
			return "NF\r\n"
		case differs:
			return "EX\r\n"
		}
		delete(f.entries, key)
		return "HD\r\n"
	case "mn":
		return "MN\r\n"
	case "flush_all":
		clear(f.entries)
		return "OK\r\n"
	case "stats":
		var b strings.Builder
		for _, stat := range f.stats() {
			fmt.Fprintf(&b, "STAT %s\r\n", stat)
		}
		return b.String() + "END\r\n"
	case "lru_crawler":
		var b strings.Builder
		for key := range f.entries {
			fmt.Fprintf(&b, "key=%s exp=-1 la=1 cas=1 fetch=no cls=1 size=65\n", url.QueryEscape(key))
		}
		return b.String() + "END\r\n"
	}
	return f.classic(words, key, e, value)
}

// stats returns names and values.
func (f *fake) stats() []string {
	size := 0
	for key, e := range f.entries {
		size += len(key) + len(e.value)
	}
	return []string{
		"pid 1", fmt.Sprint("time ", fakeTime), "version fake 1", fmt.Sprint("limit_maxbytes ", 64<<20),
		fmt.Sprint("curr_items ", len(f.entries)), fmt.Sprint("bytes ", size), fmt.Sprint("evictions ", f.evictions), "slab_global_page_pool 0",
	}
}

// classic are the commands that gomemcache sends.
func (f *fake) classic(words []string, key string, e *entry, value string) string {
	switch words[0] {
	case "set", "add", "cas":
		switch {
		case words[0] == "add" && e != nil:
			return "NOT_STORED\r\n"
		case words[0] == "cas" && e == nil:
			return "NOT_FOUND\r\n"
		case words[0] == "cas" && words[5] != fmt.Sprint(e.cas):
			return "EXISTS\r\n"
		}
		flags, _ := strconv.ParseUint(words[2], 10, 32)
		expiry, _ := strconv.ParseInt(words[3], 10, 64)
		f.put(key, entry{value: value, flags: uint32(flags), expiry: expiry})
		return "STORED\r\n"
	case "incr":
		if e == nil {
			return "NOT_FOUND\r\n"
		}
		by, _ := strconv.ParseUint(words[2], 10, 64)
		sum, ok := e.counted(by, false)
		if !ok {
			return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
		}
		f.put(key, *e)
		return sum + "\r\n"
	case "delete":
		if e == nil {
			return "NOT_FOUND\r\n"
		}
		delete(f.entries, key)
		return "DELETED\r\n"
	case "version":
		return "VERSION fake\r\n"
	}
	return "ERROR\r\n"
}

// counted adds as the server does: it stops at zero and wraps around.
func (e *entry) counted(by uint64, down bool) (sum string, ok bool) {
	n, err := strconv.ParseUint(strings.TrimRight(e.value, " "), 10, 64)
	if err != nil {
		return "", false
	}
	switch {
	case !down:
		n += by
	case by > n:
		n = 0
	default:
		n -= by
	}
	sum = strconv.FormatUint(n, 10)
	e.value = sum + strings.Repeat(" ", max(0, len(e.value)-len(sum)))
	return sum, true
}

// binary names a command by its opcode, as in "0x0c key".
func (f *fake) binary(r *bufio.Reader, known *bool) (kind, answer string, err error) {
	b := make([]byte, headerSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", "", err
	}
	op, keys, extras := b[1], int(binary.BigEndian.Uint16(b[2:])), int(b[4])
	body := make([]byte, binary.BigEndian.Uint32(b[8:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return "", "", err
	}
	key, value := string(body[extras:extras+keys]), string(body[extras+keys:])
	wanted := f.choose(fmt.Sprintf("0x%02x %s", op, key))
	extra, _ := strings.CutPrefix(wanted, surplus)
	switch {
	case wanted == "", wanted == lost, wanted == torn:
	case wanted == silent, wanted == hangUp:
		return wanted, "", nil
	case extra == wanted:
		return "", wanted, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.observe(&answer, wanted, extra, key)()
	reply := func(status uint16, extras, key, value string) (string, string, error) {
		return "", frame(op, status, binary.BigEndian.Uint32(b[12:]), f.cas, extras, key, value), nil
	}
	*known = *known || f.login == ""
	e := f.entries[key]
	cas := binary.BigEndian.Uint64(b[16:])
	switch {
	case op == codeLogin:
		if *known = value == "\x00"+strings.Replace(f.login, " ", "\x00", 1); !*known {
			return reply(statusAuth, "", "", "Auth failure.")
		}
		return reply(statusOK, "", "", "Authenticated")
	case !*known:
		return reply(statusAuth, "", "", "Auth failure.")
	case op == codeStats:
		var b strings.Builder
		for _, stat := range f.stats() {
			name, text, _ := strings.Cut(stat, " ")
			b.WriteString(frame(op, statusOK, 0, 0, "", name, text))
		}
		return "", b.String() + frame(op, statusOK, 0, 0, "", "", ""), nil
	case op == codeNoop, op == codeFlush:
		if op == codeFlush {
			clear(f.entries)
		}
		return reply(statusOK, "", "", "")
	case cas != 0 && e != nil && e.cas != cas:
		return reply(statusExists, "", "", "Data exists for key.")
	case op == codeAdd && e != nil:
		return reply(statusExists, "", "", "Data exists for key.")
	case (op == codeSet || op == codeSetQuiet || op == codeAdd) && len(value) > f.maxBytes:
		delete(f.entries, key)
		return reply(statusTooLarge, "", "", "Too large.")
	case op == codeSet, op == codeSetQuiet, op == codeAdd:
		f.put(key, entry{value: value, flags: binary.BigEndian.Uint32(body), expiry: int64(binary.BigEndian.Uint32(body[4:]))})
		if op == codeSetQuiet {
			return "", "", nil
		}
		return reply(statusOK, "", "", "")
	case e == nil && op == codeGetQuiet:
		return "", "", nil
	case e == nil:
		return reply(statusAbsent, "", "", "Not found")
	case op == codeGet, op == codeGetQuiet:
		f, k := binary.BigEndian.AppendUint32(nil, e.flags), key
		return "", frame(op, statusOK, binary.BigEndian.Uint32(b[12:]), e.cas, string(f), k, e.value), nil
	case op == codeDelete, op == codeDeleteQuiet:
		delete(f.entries, key)
		if op == codeDeleteQuiet {
			return "", "", nil
		}
		return reply(statusOK, "", "", "")
	case op == codeIncrement, op == codeDecrement:
		sum, ok := e.counted(binary.BigEndian.Uint64(body), op == codeDecrement)
		if !ok {
			return reply(statusNotInteger, "", "", "Non-numeric server-side value for incr or decr")
		}
		f.put(key, *e)
		n, _ := strconv.ParseUint(sum, 10, 64)
		return reply(statusOK, "", "", string(binary.BigEndian.AppendUint64(nil, n)))
	}
	return reply(statusUnknown, "", "", "Unknown command")
}

// frame is a reply of the binary protocol.
func frame(op byte, status uint16, opaque uint32, cas uint64, extras, key, value string) string {
	b := []byte{magicReply, op, byte(len(key) >> 8), byte(len(key)), byte(len(extras)), 0, byte(status >> 8), byte(status)}
	b = binary.BigEndian.AppendUint32(b, uint32(len(extras)+len(key)+len(value)))
	b = binary.BigEndian.AppendUint32(b, opaque)
	b = binary.BigEndian.AppendUint64(b, cas)
	return string(b) + extras + key + value
}

// on replaces the reply to some commands.
func on(reply string, names ...string) func(int, string) string {
	return func(_ int, command string) string {
		name, _, _ := strings.Cut(command, " ")
		if slices.Contains(names, name) {
			return reply
		}
		return ""
	}
}

// ample is more than anything takes, on a busy machine too. What ends within half of it
// did not end by a timeout.
const ample = time.Minute

// start returns a backend with timeouts that do not end before ample, closed at the end
// of the test.
func start(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := New(t.Context(), withAmple(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func withAmple(o Options) Options {
	for _, timeout := range []*time.Duration{&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout} {
		if *timeout == 0 {
			*timeout = ample
		}
	}
	return o
}

// soon returns a context with a deadline in d.
func soon(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// waitFor waits for what another goroutine is about to do.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for ctx := soon(t, ample/2); !done(); time.Sleep(100 * time.Microsecond) {
		if ctx.Err() != nil {
			t.Fatal("waited too long: ", what)
		}
	}
}

// withTimeouts calls try with a short timeout, and with longer ones while it returns an
// error: a busy machine does not get everything done in a short time.
func withTimeouts(t *testing.T, try func(timeout time.Duration) error) {
	t.Helper()
	var err error
	for timeout := 30 * time.Millisecond; timeout < ample/4; timeout *= 4 {
		if err = try(timeout); err == nil {
			return
		}
	}
	t.Error(err)
}
