package memcached

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// lean is a memcached that allocates little: it keeps the memory of the values that it
// received. It ignores what differs between the random keys of chunks.
type lean struct {
	r     *bufio.Reader
	w     *bufio.Writer
	items map[string]*block
}

type block struct {
	flags string // as decimal text
	value []byte
}

// startLean returns the address of a lean server with or without TLS.
func startLean(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	addr := listener.Addr().String()
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	items := map[string]*block{} // the calls of these tests follow each other
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				s := lean{bufio.NewReaderSize(conn, 16<<10), bufio.NewWriterSize(conn, 16<<10), items}
				for s.serve() == nil {
				}
			}()
		}
	}()
	return addr
}

// item returns what is stored under key, or a new block.
func (s lean) item(key string) *block {
	if name, rest, isChunk := strings.Cut(key, "~"); isChunk {
		key = name + rest[strings.IndexByte(rest, '.'):]
	}
	if s.items[key] == nil {
		s.items[key] = new(block)
	}
	return s.items[key]
}

func (s lean) serve() error {
	first, err := s.r.Peek(1)
	if err != nil {
		return err
	}
	if first[0] == magicRequest {
		err = s.binary()
	} else {
		err = s.text()
	}
	if err == nil && s.r.Buffered() == 0 {
		err = s.w.Flush()
	}
	return err
}

func (s lean) text() error {
	line, err := s.r.ReadString('\n')
	if err != nil {
		return err
	}
	words := strings.Fields(line)
	switch words[0] {
	case "ms":
		n, _ := strconv.Atoi(words[2])
		it := s.item(words[1])
		it.value, it.flags = slices.Grow(it.value[:0], n)[:n], "0"
		for _, word := range words[3:] {
			if word[0] == 'F' {
				it.flags = word[1:]
			}
		}
		if _, err := io.ReadFull(s.r, it.value); err != nil {
			return err
		}
		s.r.Discard(2)
		s.w.WriteString("HD\r\n")
	case "mg":
		s.w.WriteString("EN\r\n")
	case "get":
		for _, key := range words[1:] {
			it := s.item(key)
			fmt.Fprintf(s.w, "VALUE %s %s %d\r\n", key, it.flags, len(it.value))
			s.w.Write(it.value)
			s.w.WriteString("\r\n")
		}
		s.w.WriteString("END\r\n")
	default:
		return io.EOF
	}
	return nil
}

func (s lean) binary() error {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(s.r, header); err != nil {
		return err
	}
	extras, body := int(header[4]), int(binary.BigEndian.Uint32(header[8:]))
	rest := make([]byte, extras+int(binary.BigEndian.Uint16(header[2:])))
	if _, err := io.ReadFull(s.r, rest); err != nil {
		return err
	}
	it := s.item(string(rest[extras:]))
	n := body - len(rest)
	opaque := binary.BigEndian.Uint32(header[12:])
	switch op := header[1]; op {
	case codeSet:
		it.value, it.flags = slices.Grow(it.value[:0], n)[:n], fmt.Sprint(binary.BigEndian.Uint32(rest))
		if _, err := io.ReadFull(s.r, it.value); err != nil {
			return err
		}
		s.w.WriteString(frame(op, statusOK, opaque, 1, "", "", ""))
	case codeGet:
		flags, _ := strconv.ParseUint(it.flags, 10, 32)
		reply := []byte(frame(op, statusOK, opaque, 1, string(binary.BigEndian.AppendUint32(nil, uint32(flags))), string(rest[extras:]), ""))
		binary.BigEndian.PutUint32(reply[8:], uint32(len(rest)-extras+4+len(it.value)))
		s.w.Write(reply)
		s.w.Write(it.value)
	default:
		return io.EOF
	}
	return nil
}

// allocated returns the fewest bytes that do allocates in several runs: the runtime and other
// goroutines allocate as well.
func allocated(do func()) uint64 {
	least := uint64(math.MaxUint64)
	var before, after runtime.MemStats
	for range 20 {
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// A large value is written from the memory of the caller and read into it, without a copy.
func TestLargeValuesAreNotCopied(t *testing.T) {
	const size = 512 << 10
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	t.Cleanup(certificate.Close)
	secure := &tls.Config{InsecureSkipVerify: true}
	for name, o := range map[string]Options{
		"text": {}, "text with TLS": {TLS: secure}, "binary": {Protocol: Binary}, "binary with TLS": {Protocol: Binary, TLS: secure},
		"spread": {Spread: true, ChunkSize: 32 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			var config *tls.Config
			if o.TLS != nil {
				config = &tls.Config{Certificates: certificate.TLS.Certificates}
			}
			o.Servers = []string{startLean(t, config)}
			b := start(t, o)
			value, buffer := largeValue(size), append(make([]byte, 0, size+10), "dst"...)
			if n := allocated(func() { must(t, b.Set(t.Context(), "k", value, time.Hour)) }); n > size/16 {
				t.Errorf("Set of %d bytes allocates %d", size, n)
			}
			n := allocated(func() {
				got, ok, err := b.GetAppend(t.Context(), "k", buffer)
				if !ok || err != nil || !bytes.Equal(got[3:], value) || &got[0] != &buffer[0] {
					t.Errorf("GetAppend = %d bytes, %v, %v", len(got), ok, err)
				}
			})
			if n > size/16 {
				t.Errorf("GetAppend of %d bytes allocates %d", size, n)
			}
		})
	}
}

// A caller that keeps one of the values that it has read together does not keep the others.
func TestValuesShareNoMemory(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		f := startFake(t, nil)
		o.Servers = []string{f.addr}
		b := start(t, o)
		keys, kept := make([]string, 40), make([][]byte, 500)
		for i := range keys {
			keys[i] = fmt.Sprint("k", i)
			f.store(keys[i], entry{value: strings.Repeat("v", 200)})
		}
		before := heapInUse()
		for i := range kept {
			values, err := b.GetMany(t.Context(), keys)
			must(t, err)
			kept[i] = values[0]
		}
		if grown := heapInUse() - before; grown > int64(len(kept)*4*len(kept[0])) {
			t.Errorf("%d values of %d bytes keep %d bytes", len(kept), len(kept[0]), grown)
		}
	})
}

// heapInUse returns the bytes of all objects that are reachable.
func heapInUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools keep for one more
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
