package wire

// protocol encodes requests and decodes replies.
type protocol interface {
	// login is the first exchange on a connection with a user.
	login(c *conn, username, password string) error

	// write appends r to w.
	write(w *writer, r *Request)

	// read reads the replies to r. After an error the connection is out of step; items
	// that are answered by then have their replies. Without an error, no item is answered
	// if the server rejected some of them without naming which.
	read(in *reader, r *Request) error

	// maxBytes is the size, in bytes, of one round trip.
	maxBytes(op Op) int
}
