package redis

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// server is what a URL says.
type server struct {
	addr, username, password string
	db                       int
	tls                      bool
}

// parseURL does not use the driver's parser, nor show the error of net/url: both
// repeat the URL, in which there may be a password. No part of it is repeated here.
func parseURL(text string) (server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return server{}, errors.New("cannot be parsed (it is not shown, for it may hold a password); " +
			"in user and password, special characters are written as %XX")
	}
	s := server{username: u.User.Username(), tls: u.Scheme == "rediss"}
	s.password, _ = u.User.Password()
	query := u.Query()
	db := query.Get("db")
	query.Del("db")
	if len(query) > 0 {
		return server{}, errors.New("has a parameter other than db; options are given beside it")
	}
	switch u.Scheme {
	case "redis", "rediss":
		s.addr = net.JoinHostPort(orElse(u.Hostname(), "localhost"), orElse(u.Port(), "6379"))
		if path := strings.Trim(u.Path, "/"); path != "" {
			db = path
		}
	case "unix":
		s.addr = u.Path
		if u.Host != "" || u.Path == "" {
			return server{}, errors.New("is not unix:///path/to.sock")
		}
	default:
		return server{}, errors.New("does not begin with redis://, rediss:// or unix://")
	}
	if s.db, err = strconv.Atoi(orElse(db, "0")); err != nil || s.db < 0 {
		return server{}, errors.New("names a database that is not a number")
	}
	return s, nil
}

func orElse(text, def string) string {
	if text == "" {
		return def
	}
	return text
}
