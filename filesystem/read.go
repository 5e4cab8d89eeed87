package filesystem

import (
	"hash/crc32"
	"sync"
	"time"
)

// readBuffers holds buffers for whole files. A file which fits is read by one
// system call and its value is copied out. The copy costs no more than zeroing
// a new slice before reading into it.
var readBuffers = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

const readBufferSize = 128 << 10

// read returns the entry in the file of key, expired or not. If keep is not set, its
// value is empty, read allocates nothing, and it does not verify an expired entry.
// Otherwise it verifies the checksum in any case: damage need not change the
// modification time or the size, and all methods have to agree on what is damaged.
func read(d *dir, name, key string, keep bool) (e entry, err error) {
	f, err := d.open(name)
	if err != nil {
		return e, err
	}
	defer f.close()
	buffer := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buffer)
	n, err := f.readAt(buffer[:], 0)
	if err != nil {
		return e, err
	}
	h, err := parseHeader(buffer[:n])
	if err != nil {
		return e, err
	}
	e.expires, e.value = h.expires, []byte{}
	switch {
	case !keep && e.expires.expired(time.Now()):
	case h.size() > uint64(n):
		e.value, err = readLarge(f, h, buffer[:], n, key, keep)
	default:
		var value []byte
		if value, err = h.value(buffer[:n], key); keep {
			e.value = append(e.value, value...)
		}
	}
	if err != nil {
		return entry{}, err
	}
	return e, nil
}

// readLarge reads a file of which buffer holds the first n bytes into a new slice. A
// header that does not agree with the size of the file allocates nothing. Nor does a
// sparse file, unless its checksum is right.
func readLarge(f file, h header, buffer []byte, n int, key string, keep bool) ([]byte, error) {
	size, sparse, err := f.size()
	if err != nil {
		return nil, err
	}
	if uint64(size) != h.size() || size > maxFileSize {
		return nil, errWrongLength
	}
	if sparse || !keep {
		if err := verifyLarge(f, h, buffer, n, key); err != nil || !keep {
			return []byte{}, err
		}
		n = 0 // buffer holds the end of the file
	}
	data := make([]byte, h.size())
	for n = copy(data, buffer[:n]); n < len(data); {
		m, err := f.readAt(data[n:], int64(n))
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return nil, errWrongLength
		}
		n += m
	}
	return h.value(data, key)
}

// exists reports whether there is a live entry of key. A corrupt file is false with a
// nil error.
func exists(d *dir, name, key string) (bool, error) {
	e, err := read(d, name, key, false)
	return e.live(), ignoreCorrupt(err)
}

// verifyLarge checks the key and the checksum of a file without keeping its value.
// buffer holds the first n bytes of the file, and then others.
func verifyLarge(f file, h header, buffer []byte, n int, key string) error {
	if uint64(h.keyLen) != uint64(len(key)) {
		return errOtherKey
	}
	rest, same := cutKey(key, buffer[headerSize:n])
	sum := checksum(buffer[:headerSize], buffer[headerSize:n])
	for at, size := int64(n), int64(h.size()); same && at < size; {
		m, err := f.readAt(buffer[:min(int64(len(buffer)), size-at)], at)
		if err != nil {
			return err
		}
		if m == 0 {
			return errWrongLength
		}
		rest, same = cutKey(rest, buffer[:m])
		sum = crc32.Update(sum, castagnoli, buffer[:m])
		at += int64(m)
	}
	if !same {
		return errOtherKey
	}
	if sum != h.checksum {
		return errChecksum
	}
	return nil
}

// cutKey compares the beginning of data with as much of key, and returns the rest of
// key.
func cutKey(key string, data []byte) (rest string, same bool) {
	n := min(len(key), len(data))
	return key[n:], string(data[:n]) == key[:n]
}

// readHead returns the header of the entry in the file called name, and up to n bytes
// of its key.
func readHead(d *dir, name string, n int) (h header, key string, err error) {
	f, err := d.open(name)
	if err != nil {
		return header{}, "", err
	}
	defer f.close()
	data := make([]byte, headerSize+n)
	if n, err = f.readAt(data, 0); err != nil {
		return header{}, "", err
	}
	if h, err = parseHeader(data[:n]); err != nil {
		return header{}, "", err
	}
	return h, string(data[headerSize:min(uint64(n), headerSize+uint64(h.keyLen))]), nil
}
