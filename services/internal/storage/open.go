package storage

import (
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// maxConnections bounds what one pod takes of the server: ten pods stay well under a default server's 151.
	// All of them are kept when idle, since connecting anew under a burst costs more than an idle connection.
	maxConnections = 12
	// maxLifetime spreads connections over servers behind one address after a failover.
	maxLifetime = 5 * time.Minute
	// maxIdleTime closes connections before firewalls and the server's wait_timeout do it silently, and bounds how
	// long a connection that nobody uses keeps credentials that were changed.
	maxIdleTime = time.Minute
	// dialTimeout is short: within a cluster a server that does not answer in two seconds is away.
	dialTimeout = 2 * time.Second
	// ioTimeout ends a call to a server that went silent. Callers' deadlines are shorter and end it first;
	// this one is for work without a deadline.
	ioTimeout = 10 * time.Second
	// lockWait is innodb_lock_wait_timeout in seconds: the default, 50, outlives every caller.
	lockWait = "2"
	// idleWait is idle_transaction_timeout in seconds: a process that is frozen or cut off in the middle of a transaction
	// holds its locks no longer, and others need not wait for the server to miss it.
	idleWait = "5"
)

// Open makes a pool for the database that the binding in dir names. It connects when it is first used, so a database
// that is away is no error here. Changed credentials need no restart: see credentials.
func Open(dir string, log *slog.Logger, opts ...Option) (*sql.DB, error) {
	return open(dir, ioTimeout, log, opts...)
}

// open takes the time that one statement may be silent; 0 is for ever, as changing a large table needs.
func open(dir string, silence time.Duration, log *slog.Logger, opts ...Option) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net = "tcp"
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
		"idle_transaction_timeout": idleWait,
	}
	if err := config.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, fmt.Errorf("set up the database driver: %w", err)
	}
	db := pool(&connector{config: config, credentials: newCredentials(dir, log, time.Now)}, filepath.Base(dir), opts)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	db.SetConnMaxLifetime(maxLifetime)
	db.SetConnMaxIdleTime(maxIdleTime)
	return db, nil
}

// driverLog takes the driver's own lines ("unexpected EOF"). They are details: whoever called gets the error too.
type driverLog struct{ log *slog.Logger }

func (d driverLog) Print(v ...any) { d.log.Debug("Database driver", "detail", fmt.Sprint(v...)) }
