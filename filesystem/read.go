package filesystem

import (
	"hash/crc32"
	"strings"
	"sync"
	"time"
)

// readBuffers holds buffers for whole files. A file which fits is read by one
// system call and its value is copied out. The copy costs no more than zeroing
// a new slice before reading into it.
var readBuffers = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

const readBufferSize = 128 << 10

// load reads the entry of key, expired or not. The caller owns value.
func load(d *dir, name, key string) (value []byte, expires expiry, err error) {
	f, err := d.open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.close()
	buffer := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buffer)
	n, err := f.readAt(buffer[:], 0)
	if err != nil {
		return nil, 0, err
	}
	data := buffer[:n]
	h, err := parseHeader(data)
	if err != nil {
		return nil, 0, err
	}
	if h.size() > uint64(n) {
		value, err = loadLarge(f, h, buffer[:], n, key)
		return value, h.expires, err
	}
	value, err = h.value(data, key)
	if err != nil {
		return nil, 0, err
	}
	return append([]byte{}, value...), h.expires, nil
}

// loadLarge reads a file of which buffer holds the first n bytes into a new slice. A
// header that does not agree with the size of the file allocates nothing. Nor does a
// sparse file, unless its checksum is right.
func loadLarge(f file, h header, buffer []byte, n int, key string) ([]byte, error) {
	sparse, err := checkSize(f, h)
	if err != nil {
		return nil, err
	}
	if sparse {
		if err := verifyLarge(f, h, buffer, n, key); err != nil {
			return nil, err
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

// checkSize checks that the file has the size in its header.
func checkSize(f file, h header) (sparse bool, err error) {
	size, sparse, err := f.size()
	if err != nil {
		return false, err
	}
	if uint64(size) != h.size() || size > maxFileSize {
		return false, errWrongLength
	}
	return sparse, nil
}

// exists reports whether there is a live entry of key: whether load would return it.
// It verifies the checksum, because damage need not change the modification time or
// the size, and Has, Add and Delete have to agree with Get. It allocates nothing, and
// does not read the value of an expired entry. A corrupt file is false with a nil
// error.
func exists(d *dir, name, key string) (bool, error) {
	f, err := d.open(name)
	if err != nil {
		return false, ignoreCorrupt(err)
	}
	defer f.close()
	buffer := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buffer)
	n, err := f.readAt(buffer[:], 0)
	if err != nil {
		return false, ignoreCorrupt(err)
	}
	h, err := parseHeader(buffer[:n])
	if err != nil || h.expires.expired(time.Now()) {
		return false, ignoreCorrupt(err)
	}
	if h.size() > uint64(n) {
		if _, err = checkSize(f, h); err == nil {
			err = verifyLarge(f, h, buffer[:], n, key)
		}
	} else {
		_, err = h.value(buffer[:n], key)
	}
	return err == nil && !h.expires.expired(time.Now()), ignoreCorrupt(err)
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

// readExpiry returns the expiry of the entry in the file called name. It reads the
// header only.
func readExpiry(d *dir, name string) (expiry, error) {
	f, err := d.open(name)
	if err != nil {
		return 0, err
	}
	defer f.close()
	var data [headerSize]byte
	n, err := f.readAt(data[:], 0)
	if err != nil {
		return 0, err
	}
	h, err := parseHeader(data[:n])
	return h.expires, err
}

// keyHasPrefix reports whether the file called name holds an entry whose key
// begins with prefix.
func keyHasPrefix(d *dir, name, prefix string) (bool, error) {
	f, err := d.open(name)
	if err != nil {
		return false, ignoreNotExist(ignoreCorrupt(err))
	}
	defer f.close()
	data := make([]byte, headerSize+len(prefix))
	n, err := f.readAt(data, 0)
	if err != nil {
		return false, ignoreCorrupt(err)
	}
	h, err := parseHeader(data[:n])
	return err == nil && uint64(h.keyLen) >= uint64(len(prefix)) && strings.HasPrefix(string(data[headerSize:n]), prefix), nil
}
