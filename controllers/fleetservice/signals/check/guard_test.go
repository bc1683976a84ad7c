package check

import "testing"

func TestGuard(t *testing.T) {
	for address, c := range map[string]struct {
		named   []string
		allowed bool
	}{
		"10.1.2.3:80":                {nil, true},
		"192.0.2.1:443":              {nil, true},
		"[2001:db8::1]:443":          {nil, true},
		"127.0.0.1:80":               {nil, false},
		"127.9.9.9:80":               {[]string{"127.0.0.1"}, false},
		"127.0.0.2:80":               {[]string{"127.0.0.2"}, true},
		"[::1]:80":                   {nil, false},
		"[::1]:443":                  {[]string{"[::1]"}, true},
		"0.0.0.0:80":                 {nil, false},
		"[::]:80":                    {nil, false},
		"169.254.169.254:80":         {[]string{"metadata.internal"}, false},
		"169.254.1.1:80":             {[]string{"169.254.1.1"}, true},
		"[fe80::1%eth0]:80":          {nil, false},
		"[fd00:ec2::254]:80":         {nil, false},
		"100.100.100.200:80":         {nil, false},
		"168.63.129.16:80":           {nil, false},
		"224.0.0.1:80":               {nil, false},
		"[::ffff:169.254.169.254]:1": {nil, false},
		"[64:ff9b::a9fe:a9fe]:80":    {nil, false},
		"[64:ff9b::c000:201]:80":     {nil, true},
		"no address":                 {nil, false},
	} {
		t.Run(address, func(t *testing.T) {
			if err := newGuard(c.named).control("tcp", address, nil); (err == nil) != c.allowed {
				t.Errorf("control(%s) with %v named = %v, want it allowed: %t", address, c.named, err, c.allowed)
			}
		})
	}
}
