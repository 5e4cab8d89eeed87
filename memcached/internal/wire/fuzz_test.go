package wire

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

// readerOf returns the reader of a connection that has received reply.
func readerOf(reply string) *reader {
	_, unused := net.Pipe()
	return &reader{Reader: bufio.NewReaderSize(strings.NewReader(reply), readBuffer), socket: &deadlineConn{Conn: unused}, maxValue: 1 << 10}
}

func itemsOf(keys ...string) []Item {
	items := make([]Item, len(keys))
	for i, key := range keys {
		items[i].Key = key
	}
	return items
}

// parse makes p read a reply to every kind of request. Whatever the reply is, there is no
// panic, no value under a key that it does not name, and none beyond the limit.
func parse(t *testing.T, p protocol, reply string) {
	for op := OpGet; op <= OpFlush; op++ {
		for _, keys := range []string{"", "k", "a b k"} {
			r := &Request{Op: op, Items: itemsOf(strings.Fields(keys)...)}
			if perItem := op != OpPing && op != OpFlush && op != OpStats; perItem != (keys != "") {
				continue
			}
			if op == OpExpiryTime && len(r.Items) > 1 {
				continue
			}
			err := p.read(readerOf(reply), r)
			for _, it := range r.Items {
				rejected := p == text{} && isQuiet(r) && strings.Contains(reply, "SERVER_ERROR")
				if err == nil && !it.Answered && !rejected {
					t.Errorf("op %d of %q: no reply for %q in %q", op, keys, it.Key, reply)
				}
				if it.Err != nil && it.OK {
					t.Errorf("op %d: %q succeeded and failed", op, it.Key)
				}
				if len(it.Value) > 1<<10 || len(it.Value) > len(reply) {
					t.Errorf("a value of %d bytes from %d", len(it.Value), len(reply))
				}
				if it.Value != nil && it.OK && !strings.Contains(reply, it.Key) {
					t.Errorf("op %d: a value for %q from %q", op, it.Key, reply)
				}
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, reply := range []string{
		"VALUE k 0 1\r\nx\r\nEND\r\n", "VALUE k 2 2 77\r\n99\r\nEND\r\n", "VALUE a 0 0\r\n\r\nVALUE k 1 3\r\nxyz\r\nEND\r\n", "END\r\n",
		"VALUE k 0 1\r\nx\r\nVALUE k 0 1\r\ny\r\nEND\r\n", "VALUE k 0 4294967295\r\nx\r\nEND\r\n", "VALUE k 0 -1\r\nx\r\nEND\r\n", "VALUE k 0 10\r\nxyz",
		"HD\r\n", "HD f2 t59 c2\r\n", "HD t-1 f0\r\n", "EN\r\n", "NS\r\n", "NF\r\n", "EX\r\n", "HD\r\nNF\r\nHD\r\n", "MN\r\n", "OK\r\n",
		"VA 2\r\n42\r\n", "VA 20\r\n18446744073709551615\r\n", "HD t59 c2\r\nSTAT pid 1\r\nSTAT time 2000000000\r\nEND\r\n",
		"VA 1 f0 t59 c2 kk\r\nx\r\n", "VA 1 f0 t-1 c2 ka\r\nx\r\nEN\r\nVA 0 f0 t-1 c2 kk\r\n\r\n", "VA 1 f0 t59 c2 kx\r\nx\r\n", "VA -1 kk\r\nx\r\n",
		"STAT bytes 7\r\nSTAT version 1.6\r\nSTAT evictions 9\r\nEND\r\n", "STAT bytes\r\nEND\r\n",
		"SERVER_ERROR out of memory storing object\r\nMN\r\n", "NF O0\r\nNF O2\r\nMN\r\n", "NF O3\r\nMN\r\n",
		"SERVER_ERROR Out of memory during read\r\n", "SERVER_ERROR object too large for cache\r\n", "ERROR\r\n",
		"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", "CLIENT_ERROR unauthenticated\r\n",
	} {
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		parse(t, text{}, reply)
		for list := readerOf(reply); ; {
			if key, err := list.listedKey(); key == "" || err != nil {
				break
			}
		}
	})
}

// packet is a reply of the binary protocol.
func packet(code byte, status uint16, opaque uint32, extras, key, value string) string {
	var w writer
	w.packet(header{code: code, opaque: opaque, cas: 7}, []byte(extras), key, []byte(value))
	w.buf[0], w.buf[6], w.buf[7] = magicReply, byte(status>>8), byte(status)
	return string(w.buf)
}

func FuzzBinary(f *testing.F) {
	noop := packet(codeNoop, statusOK, 0, "", "", "")
	for _, reply := range []string{
		noop, packet(codeGet, statusOK, 0, "\x00\x00\x00\x02", "k", "99"), packet(codeGet, statusAbsent, 0, "", "", "Not found"),
		packet(codeGet, statusOK, 0, "\x00\x00\x00\x00", "x", "x"), packet(codeGet, statusOK, 7, "\x00\x00\x00\x00", "k", "x"), packet(codeGet, statusOK, 0, "", "k", "x"),
		packet(codeGetQuiet, statusOK, 2, "\x00\x00\x00\x00", "k", "") + noop, packet(codeSet, statusOK, 0, "", "", ""),
		packet(codeSetQuiet, statusFull, 1, "", "", "Out of memory") + noop, packet(codeDeleteQuiet, statusAbsent, 0, "", "", "") + noop,
		packet(codeIncrement, statusOK, 0, "", "", "\x00\x00\x00\x00\x00\x00\x00\x2a"), packet(codeIncrement, statusNotInteger, 0, "", "", ""),
		packet(codeStats, statusOK, 0, "", "bytes", "7") + packet(codeStats, statusOK, 0, "", "", ""), packet(codeStats, statusOK, 0, "", "bytes", "x"),
		packet(codeAdd, statusExists, 0, "", "", ""), packet(codeFlush, statusOK, 0, "", "", ""), packet(codeLogin, statusAuth, 0, "", "", ""),
	} {
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, reply string) { parse(t, binaryProtocol{}, reply) })
}
