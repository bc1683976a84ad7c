package storage

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"

	"movieexample.com/fleet/services/internal/problem"
)

// Server error numbers: https://mariadb.com/kb/en/mariadb-error-code-reference/
const (
	errDiskFull           = 1021
	errTooManyConnections = 1040
	errDatabaseDenied     = 1044
	errAccessDenied       = 1045
	errUnknownDatabase    = 1049
	errNullColumn         = 1048
	errUnknownColumn      = 1054
	errServerShutdown     = 1053
	errDuplicateKey       = 1062
	errTableFull          = 1114
	errHostBlocked        = 1129
	errNoSuchTable        = 1146
	errUnknownVariable    = 1193
	errUserLimit          = 1203
	errLockWaitTimeout    = 1205
	errOutOfRange         = 1264
	errTruncated          = 1292
	errDeadlock           = 1213
	errUserResource       = 1226
	errReadOnly           = 1290
	errNoPassword         = 1698
	errWrongValue         = 1366
	errTooLong            = 1406
	errKilled             = 1927
	errSecureTransport    = 3159
)

func isNumber(err error, numbers ...uint16) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && slices.Contains(numbers, e.Number)
}

// bindingError marks what is wrong with the binding's files. It counts as the database being away: it heals when
// the files are put right.
type bindingError struct{ error }

func (e bindingError) Unwrap() error { return e.error }

// deniedCredentials tells whether the server answered, and did not let the user in.
func deniedCredentials(err error) bool {
	return isNumber(err, errDatabaseDenied, errAccessDenied, errNoPassword)
}

// Away tells whether err means that the database cannot be used now, and that waiting may help: not reachable, starting,
// stopping, or refusing credentials or a certificate (a changed Secret heals that).
func Away(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[bindingError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || errors.Is(err, mysql.ErrNoTLS) {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) ||
		deniedCredentials(err) ||
		isNumber(err, errTooManyConnections, errUnknownDatabase, errServerShutdown,
			errHostBlocked, errUserLimit, errUserResource, errReadOnly, errKilled, errSecureTransport)
}

// DuplicateKey tells whether err means that a row with this key is there already.
func DuplicateKey(err error) bool { return isNumber(err, errDuplicateKey) }

// BadData tells whether err means that a column cannot hold a value: it never will, however often it is tried.
func BadData(err error) bool {
	return isNumber(err, errNullColumn, errOutOfRange, errTruncated, errWrongValue, errTooLong)
}

// again tells whether the whole transaction may succeed when it is run once more.
func again(err error) bool {
	return errors.Is(err, ErrRaced) || isNumber(err, errDeadlock, errLockWaitTimeout)
}

// Problem gives an error of the database its kind: a database that is away, full, too busy, or not migrated is Unavailable;
// anything else stays as it is.
func Problem(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case isNumber(err, errNoSuchTable, errUnknownColumn):
		return problem.NewUnavailable(err, "the database's schema is older than this program needs; run its migrate command")
	case again(err):
		return problem.NewUnavailable(err, "the database is too busy with writes of the same record")
	case isNumber(err, errDiskFull, errTableFull): // it is not away: it reads
		return problem.NewUnavailable(err, "the database has no room left")
	case Away(err):
		return problem.NewUnavailable(err, "the database cannot be reached")
	default:
		return err
	}
}
