package memcached

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

// answered is a connection on which an answer lies.
func answered(answer string) *in {
	_, nowhere := net.Pipe()
	socket := &patient{Conn: nowhere}
	return &in{Reader: bufio.NewReaderSize(strings.NewReader(answer), bufferSize), socket: socket, limit: 1 << 10}
}

// parse has p read an answer to every kind of request. Whatever it is, there is no
// panic, no value under a key that it does not name, and none beyond the limit.
func parse(t *testing.T, p protocol, answer string) {
	for v := vGet; v <= vFlush; v++ {
		for _, keys := range []string{"", "k", "a b k"} {
			r := &request{verb: v, items: itemsOf(strings.Fields(keys))}
			if perItem := v != vPing && v != vFlush; perItem != (keys != "") {
				continue
			}
			if v == vDate && len(r.items) > 1 {
				continue
			}
			err := p.read(answered(answer), r)
			for _, it := range r.items {
				refused := p == text{} && isQuiet(r) && strings.Contains(answer, "SERVER_ERROR")
				if err == nil && !it.seen && !refused {
					t.Errorf("verb %d of %q: no answer for %q in %q", v, keys, it.key, answer)
				}
				if it.err != nil && it.ok {
					t.Errorf("verb %d: %q is there and failed", v, it.key)
				}
				if len(it.value) > 1<<10 || len(it.value) > len(answer) {
					t.Errorf("a value of %d bytes out of %d", len(it.value), len(answer))
				}
				if it.value != nil && it.ok && !strings.Contains(answer, it.key) {
					t.Errorf("verb %d: a value for %q out of %q", v, it.key, answer)
				}
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, answer := range malformed[Text] {
		if len(answer) < 1000 {
			f.Add(strings.TrimPrefix(answer, partial))
		}
	}
	for _, answer := range []string{
		"VALUE k 0 1\r\nx\r\nEND\r\n", "VALUE k 2 2 77\r\n99\r\nEND\r\n", "VALUE a 0 0\r\n\r\nVALUE k 1 3\r\nxyz\r\nEND\r\n", "END\r\n",
		"HD\r\n", "HD f2 t59 c2\r\n", "HD t-1 f0\r\n", "EN\r\n", "NS\r\n", "NF\r\n", "EX\r\n", "HD\r\nNF\r\nHD\r\n", "MN\r\n", "OK\r\n",
		"VA 2\r\n42\r\n", "VA 20\r\n18446744073709551615\r\n", "HD t59 c2\r\nSTAT pid 1\r\nSTAT time 2000000000\r\nEND\r\n",
		"SERVER_ERROR out of memory storing object\r\nMN\r\n", "NF O0\r\nNF O2\r\nMN\r\n", "NF O3\r\nMN\r\n",
		"SERVER_ERROR Out of memory during read\r\n", "SERVER_ERROR object too large for cache\r\n", "ERROR\r\n",
		"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", "CLIENT_ERROR unauthenticated\r\n",
	} {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		parse(t, text{}, answer)
		for list := answered(answer); ; {
			if key, err := list.listed(); key == "" || err != nil {
				break
			}
		}
	})
}

func FuzzBinary(f *testing.F) {
	for _, answer := range malformed[Binary] {
		f.Add(strings.TrimPrefix(answer, partial))
	}
	nothing := frame(opNothing, statusOK, 0, 0, "", "", "")
	for _, answer := range []string{
		nothing, frame(opGet, statusOK, 0, 7, "\x00\x00\x00\x02", "k", "99"), frame(opGet, statusAbsent, 0, 0, "", "", "Not found"),
		frame(opGetQuiet, statusOK, 2, 7, "\x00\x00\x00\x00", "k", "") + nothing, frame(opSet, statusOK, 0, 9, "", "", ""),
		frame(opSetQuiet, statusFull, 1, 0, "", "", "Out of memory") + nothing, frame(opDeleteQuiet, statusAbsent, 0, 0, "", "", "") + nothing,
		frame(opIncrement, statusOK, 0, 3, "", "", "\x00\x00\x00\x00\x00\x00\x00\x2a"), frame(opIncrement, statusNoNumber, 0, 0, "", "", ""),
		frame(opAdd, statusExists, 0, 0, "", "", ""), frame(opFlush, statusOK, 0, 0, "", "", ""), frame(opLogin, statusAuth, 0, 0, "", "", ""),
	} {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) { parse(t, binaryProtocol{}, answer) })
}

func FuzzSpreadHead(f *testing.F) {
	o, err := Options{Spread: true, ChunkSize: 100}.resolved()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(newSpreadHead(largeValue(450), 100).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeSpread(b, o)
		if err != nil {
			return
		}
		if h.size > o.spreadLimit() || h.count() > mostChunks || string(h.encode()) != string(b) {
			t.Errorf("%x is taken for %+v", b, h)
		}
	})
}
