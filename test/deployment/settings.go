package deployment

import (
	"errors"
	"fmt"
)

// Settings are what `make integration` is told by its environment.
type Settings struct {
	Target Target
	Secure *Secure // nil is plain
	// Logins are users of the fleet's auth: none where it asks for no tokens, else an editor and whom else there is.
	Logins []Login
}

// Login is a user with a password.
type Login struct{ Name, Password string }

// ReadSettings tells all mistakes at once.
func ReadSettings(getenv func(string) string) (Settings, error) {
	target, targetErr := ParseTarget(getenv("TARGET"))
	secure, secureErr := readSecure(getenv("CA"), getenv("CERT"), getenv("KEY"), getenv("IDENTITY"))
	logins, loginsErr := readLogins(getenv)
	if targetErr == nil && len(logins) > 0 && target[authName].GRPC == "" {
		targetErr = errors.New("TARGET does not say where auth is, and LOGIN needs a token of it: add auth=HOST:PORT/HOST:PORT")
	}
	return Settings{Target: target, Secure: secure, Logins: logins}, errors.Join(targetErr, secureErr, loginsErr)
}

// readLogins takes passwords from the environment alone: on a command line others would see them.
func readLogins(getenv func(string) string) ([]Login, error) {
	var list []Login
	for _, n := range []string{"", "2"} {
		l := Login{Name: getenv("LOGIN" + n), Password: getenv("PASSWORD" + n)}
		switch {
		case l.Name == "":
			continue
		case l.Password == "":
			return nil, fmt.Errorf("LOGIN%s is %s, but PASSWORD%s is empty: export it in the environment", n, l.Name, n)
		case n != "" && len(list) == 0:
			return nil, errors.New("LOGIN2 is the second user, and there is no first: set LOGIN to a user with the role editor")
		case n != "" && list[0].Name == l.Name:
			return nil, fmt.Errorf("LOGIN and LOGIN2 are both %s: a second user is somebody else", l.Name)
		}
		list = append(list, l)
	}
	return list, nil
}
