package storage

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"movieexample.com/fleet/services/internal/binding"
)

// connector makes connections with the credentials of the moment.
type connector struct {
	config      *mysql.Config // without what the binding says
	credentials *credentials
}

// Driver is for [driver.Connector].
func (*connector) Driver() driver.Driver { return mysql.MySQLDriver{} }

// Connect is for [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	b, err := c.credentials.next()
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(ctx, b)
	// A third time: the server may have changed between the new ones' refusal and the old ones'.
	for again := 0; again < 2 && deniedCredentials(err); again++ {
		other, ok := c.credentials.refuse(b, err)
		if !ok {
			break
		}
		b = other
		conn, err = c.dial(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	c.credentials.accept(b)
	whole, ok := conn.(fullConn)
	if !ok {
		return nil, fmt.Errorf("the database driver's connection %T lacks a method of database/sql", conn)
	}
	return &datedConn{fullConn: whole, made: b, credentials: c.credentials}, nil
}

func (c *connector) dial(ctx context.Context, b binding.MySQL) (driver.Conn, error) {
	config := c.config.Clone()
	config.Addr, config.User, config.Passwd, config.DBName = b.Address(), b.Username, b.Password, b.Database
	if b.CA != "" {
		config.TLS = b.CA.TLS(b.Host)
	}
	inner, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("set up the database driver: %w", err)
	}
	return inner.Connect(ctx)
}

// fullConn is everything that database/sql may ask of a connection and the driver has.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// datedConn knows the credentials that it was made with.
type datedConn struct {
	fullConn

	made        binding.MySQL
	credentials *credentials
}

// ResetSession is asked before a connection of the pool is used again: an outdated one is closed, and the pool takes or
// makes another, without the caller's noticing.
func (c *datedConn) ResetSession(ctx context.Context) error {
	if c.credentials.outdated(c.made) {
		return driver.ErrBadConn
	}
	return c.fullConn.ResetSession(ctx)
}
