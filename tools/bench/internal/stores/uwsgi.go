package stores

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"

	"github.com/cachebackends/cachebackends/uwsgi"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Uwsgi are the clients of a uWSGI server.
var Uwsgi = Kind{Missing: uwsgiServer.missing, Start: uwsgiServer.start, peers: []peer{
	{"uwsgi", "nothing", true, func(addr string) (store, error) {
		return through(uwsgi.New(ctx, uwsgi.Options{Addr: addr}))
	}},
	{"raw-uwsgi", "all but the bytes of one connection per request; a batch is a loop", false, openRawUwsgi},
}}

// openRawUwsgi makes a connection for each request, as the server wants it.
func openRawUwsgi(addr string) (store, error) {
	// ask sends pairs of names and texts and a value, and returns what follows the head
	// of the reply. Nothing is the reply to an absent key.
	ask := func(value []byte, texts ...string) ([]byte, error) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		data := []byte{111, 0, 0, 17}
		for _, text := range texts {
			data = append(binary.LittleEndian.AppendUint16(data, uint16(len(text))), text...)
		}
		binary.LittleEndian.PutUint16(data[1:], uint16(len(data)-4))
		if _, err := conn.Write(append(data, value...)); err != nil {
			return nil, err
		}
		reply, err := io.ReadAll(conn)
		if err != nil || len(reply) < 4 {
			return hit(nil, false, err)
		}
		return reply[4+int(binary.LittleEndian.Uint16(reply[1:])):], nil
	}
	return singles(
		func(key string) ([]byte, error) { return ask(nil, "cmd", "get", "key", key) },
		func(key string, value []byte) error {
			_, err := ask(value, "cmd", "update", "key", key, "size", strconv.Itoa(len(value)), "expires", strconv.Itoa(int(workload.Life.Seconds())))
			return err
		},
		func(key string) error { _, err := ask(nil, "cmd", "del", "key", key); return err },
		func() {},
	), nil
}
