package storage

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-sql-driver/mysql"

	"movieexample.com/fleet/services/internal/binding"
)

const (
	// maxConnections bounds what one pod takes of the server: ten pods stay well under a default server's 151.
	// All of them are kept when idle, since connecting anew under a burst costs more than an idle connection.
	maxConnections = 12
	// maxLifetime bounds how long credentials that were changed stay in use, and spreads connections over
	// servers behind one address after a failover.
	maxLifetime = 5 * time.Minute
	// maxIdleTime closes connections before firewalls and the server's wait_timeout do it silently.
	maxIdleTime = time.Minute
	// dialTimeout is short: within a cluster a server that does not answer in two seconds is away.
	dialTimeout = 2 * time.Second
	// ioTimeout ends a call to a server that went silent. Callers' deadlines are shorter and end it first;
	// this one is for work without a deadline.
	ioTimeout = 10 * time.Second
	// lockWait is innodb_lock_wait_timeout in seconds: the default, 50, outlives every caller.
	lockWait = "2"
)

// Open makes a pool for the database that the binding in dir names. It connects when it is first used, so a database
// that is away is no error here. The binding is read again for each new connection: changed credentials need no restart.
func Open(dir string, log *slog.Logger) (*sql.DB, error) {
	return open(dir, ioTimeout, log)
}

// open takes the time that one statement may be silent; 0 is for ever, as changing a large table needs.
func open(dir string, silence time.Duration, log *slog.Logger) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net = "tcp"
	config.Addr = "binding" // replaced for each connection
	config.ParseTime = true
	config.Loc = time.UTC
	config.InterpolateParams = true // one round trip a statement instead of three
	config.RejectReadOnly = true    // after a failover, drop connections to what is a replica now
	config.Timeout = dialTimeout
	config.ReadTimeout = silence
	config.WriteTimeout = silence
	config.Logger = driverLog{log}
	// The session does not depend on how the server is set up: bad values are errors, times are UTC.
	config.Params = map[string]string{
		"sql_mode":                 "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"time_zone":                "'+00:00'",
		"innodb_lock_wait_timeout": lockWait,
	}
	if err := config.Apply(mysql.Charset("utf8mb4", ""), mysql.BeforeConnect(credentials(dir))); err != nil {
		return nil, fmt.Errorf("set up the database driver: %w", err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("set up the database driver: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	db.SetConnMaxLifetime(maxLifetime)
	db.SetConnMaxIdleTime(maxIdleTime)
	return db, nil
}

// bindingError marks what is wrong with the binding's files. It counts as the database being away: it heals when
// the files are put right.
type bindingError struct{ error }

func (e bindingError) Unwrap() error { return e.error }

// credentials fills in a connection's address and user from the binding as it is now.
func credentials(dir string) func(context.Context, *mysql.Config) error {
	return func(_ context.Context, config *mysql.Config) error {
		b, err := binding.ReadMySQL(dir)
		if err != nil {
			return bindingError{err}
		}
		config.Addr, config.User, config.Passwd, config.DBName = b.Address(), b.Username, b.Password, b.Database
		return nil
	}
}

// driverLog takes the driver's own lines ("unexpected EOF"). They are details: whoever called gets the error too.
type driverLog struct{ log *slog.Logger }

func (d driverLog) Print(v ...any) { d.log.Debug("Database driver", "detail", fmt.Sprint(v...)) }
