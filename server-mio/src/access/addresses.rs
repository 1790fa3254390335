//! Who is at the other end: lists of addresses, the key that limits per address count by, and the client
//! behind a proxy.

mod forwarding;

use core::fmt;
use core::ops::RangeInclusive;
use peerpigeon_core::AddressKey;
use std::net::IpAddr;

pub(super) use forwarding::client_address;

/// The party that `address` counts as: an IPv4 address whole, an IPv6 one by its /64, which is what one
/// customer gets at least (RFC 6177).
///
/// IPv4-mapped IPv6 addresses are IPv4. No IPv4 address shares a key with an IPv6 one: IPv4 lies where the
/// multicast prefixes ff00::/32 would, and multicast, which is nobody's source address (RFC 4291 section
/// 2.7), has one key of its own.
#[must_use]
pub(crate) fn key_of(address: IpAddr) -> AddressKey {
    match address.to_canonical() {
        IpAddr::V4(v4) => AddressKey(0xff00_0000_0000_0000 | u64::from(v4.to_bits())),
        IpAddr::V6(v6) if v6.is_multicast() => AddressKey(u64::MAX),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments().map(u64::from);
            AddressKey(a << 48 | b << 32 | c << 16 | d)
        }
    }
}

/// A list of addresses and networks, such as `127.0.0.0/8,::1`; `none` is the empty one.
///
/// The families are apart: `::/0` holds no IPv4 address. IPv4-mapped IPv6 addresses are IPv4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList(Vec<AddressRange>);

impl AddressList {
    /// Reads a comma list of addresses and of networks in CIDR notation (RFC 4632 section 3.1).
    ///
    /// # Errors
    ///
    /// What is wrong with the first entry that is no such thing.
    pub fn parse(text: &str) -> Result<AddressList, AddressListError> {
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(AddressList::default());
        }
        text.split(',')
            .map(|entry| AddressRange::parse(entry.trim()))
            .collect::<Result<_, _>>()
            .map(AddressList)
    }

    /// Whether `address` is in the list.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether there is nothing in the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As [`AddressList::parse`] reads it.
impl fmt::Display for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (i, network) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{network}")?;
        }
        Ok(())
    }
}

/// Why a text is no [`AddressList`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressListError {
    /// An entry is neither an address nor a network.
    NotAnAddress(String),
    /// The number behind the slash is none, or more than the address has bits.
    BadPrefix {
        /// As it was given.
        entry: String,
        /// The prefix lengths that there are.
        allowed: RangeInclusive<u8>,
    },
    /// An address is given where a network is meant: there are bits behind the prefix.
    BitsBehindPrefix {
        /// As it was given.
        entry: String,
        /// The network that it lies in.
        network: String,
    },
}

impl fmt::Display for AddressListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressListError::NotAnAddress(entry) => {
                write!(f, "{entry:?} is neither an address nor a network")
            }
            AddressListError::BadPrefix { entry, allowed } => {
                write!(f, "{entry:?} needs a prefix length from {} to {}", allowed.start(), allowed.end())
            }
            AddressListError::BitsBehindPrefix { entry, network } => {
                write!(f, "{entry:?} has bits behind its prefix, the network is {network}")
            }
        }
    }
}

impl core::error::Error for AddressListError {}

/// Canonical: never an IPv4-mapped address, no bit set behind the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AddressRange {
    address: IpAddr,
    prefix: u8,
}

impl AddressRange {
    fn parse(entry: &str) -> Result<AddressRange, AddressListError> {
        let (address, prefix) = match entry.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (entry, None),
        };
        let Ok(written) = address.parse::<IpAddr>() else {
            return Err(AddressListError::NotAnAddress(entry.to_owned()));
        };
        let address = written.to_canonical();
        // The prefix of an IPv4-mapped network counts from the front of the IPv6 address.
        let mapped = bits_of(written) - bits_of(address);
        let prefix = match prefix {
            None => bits_of(address),
            Some(digits) => {
                let allowed = mapped..=bits_of(written);
                digits
                    .parse::<u8>()
                    .ok()
                    .filter(|prefix| allowed.contains(prefix) && !digits.starts_with('+'))
                    .ok_or_else(|| AddressListError::BadPrefix { entry: entry.to_owned(), allowed })?
                    - mapped
            }
        };
        let network = AddressRange { address: without_bits_behind(address, prefix), prefix };
        if network.address == address {
            Ok(network)
        } else {
            Err(AddressListError::BitsBehindPrefix { entry: entry.to_owned(), network: network.to_string() })
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && without_bits_behind(address, self.prefix) == self.address
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == bits_of(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn without_bits_behind(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_holds_its_networks_and_nothing_else() {
        for (list, inside, outside) in [
            ("127.0.0.0/8,::1", "127.0.0.1", "128.0.0.1"),
            ("127.0.0.0/8,::1", "127.255.255.255", "126.255.255.255"),
            ("127.0.0.0/8,::1", "::1", "::2"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::127.0.0.1"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
            (" 10.0.0.0/31 , 10.0.0.4 ", "10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("::/0", "2001:db8::1", "::ffff:10.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ] {
            let list = AddressList::parse(list).unwrap();
            assert!(list.contains(ip(inside)), "{list} holds {inside}");
            assert!(!list.contains(ip(outside)), "{list} does not hold {outside}");
        }
    }

    #[test]
    fn the_empty_list_is_spelled_none() {
        let none = AddressList::parse("none").unwrap();
        assert!(none.is_empty());
        assert!(!none.contains(ip("0.0.0.0")));
        assert_eq!(none.to_string(), "none");
    }

    #[test]
    fn a_list_is_shown_as_it_is_read() {
        for (written, shown) in [
            ("127.0.0.0/8, ::1", "127.0.0.0/8,::1"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
        ] {
            let list = AddressList::parse(written).unwrap();
            assert_eq!(list.to_string(), shown);
            assert_eq!(AddressList::parse(shown).unwrap(), list);
        }
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said() {
        for (list, complaint) in [
            ("", r#""" is neither an address nor a network"#),
            ("10.0.0.1,", r#""" is neither an address nor a network"#),
            ("10.0.0.1,,::1", r#""" is neither an address nor a network"#),
            ("localhost", r#""localhost" is neither an address nor a network"#),
            ("none,::1", r#""none" is neither an address nor a network"#),
            ("10.0.0", r#""10.0.0" is neither an address nor a network"#),
            ("10.0.0.256", r#""10.0.0.256" is neither an address nor a network"#),
            ("010.0.0.1", r#""010.0.0.1" is neither an address nor a network"#),
            ("[::1]", r#""[::1]" is neither an address nor a network"#),
            ("fe80::1%eth0", r#""fe80::1%eth0" is neither an address nor a network"#),
            ("10.0.0.1;::1", r#""10.0.0.1;::1" is neither an address nor a network"#),
            ("10.0.0.0/33", r#""10.0.0.0/33" needs a prefix length from 0 to 32"#),
            ("10.0.0.0/", r#""10.0.0.0/" needs a prefix length from 0 to 32"#),
            ("10.0.0.0/+8", r#""10.0.0.0/+8" needs a prefix length from 0 to 32"#),
            ("10.0.0.0/8/8", r#""10.0.0.0/8/8" needs a prefix length from 0 to 32"#),
            ("10.0.0.0/255.0.0.0", r#""10.0.0.0/255.0.0.0" needs a prefix length from 0 to 32"#),
            ("::/129", r#""::/129" needs a prefix length from 0 to 128"#),
            ("::/1000", r#""::/1000" needs a prefix length from 0 to 128"#),
            ("::ffff:10.0.0.0/8", r#""::ffff:10.0.0.0/8" needs a prefix length from 96 to 128"#),
            ("10.0.0.1/8", r#""10.0.0.1/8" has bits behind its prefix, the network is 10.0.0.0/8"#),
            (
                "2001:db8::1/64",
                r#""2001:db8::1/64" has bits behind its prefix, the network is 2001:db8::/64"#,
            ),
        ] {
            assert_eq!(AddressList::parse(list).unwrap_err().to_string(), complaint);
        }
    }

    #[test]
    fn ipv4_counts_by_address_and_ipv6_by_its_64() {
        assert_eq!(key_of(ip("10.0.0.1")), key_of(ip("::ffff:10.0.0.1")));
        assert_ne!(key_of(ip("10.0.0.1")), key_of(ip("10.0.0.2")));
        assert_eq!(key_of(ip("2001:db8:1:2::1")), key_of(ip("2001:db8:1:2:ffff::9")));
        assert_ne!(key_of(ip("2001:db8:1:2::1")), key_of(ip("2001:db8:1:3::1")));
        assert_ne!(key_of(ip("2001:db8:1:2::1")), key_of(ip("2002:db8:1:2::1")));
    }

    #[test]
    fn no_ipv6_address_shares_a_key_with_an_ipv4_address() {
        for v4 in ["0.0.0.0", "127.0.0.1", "10.0.0.1", "255.255.255.255"] {
            let key = key_of(ip(v4));
            let [a, b, c, d] = [48, 32, 16, 0].map(|shift| (key.0 >> shift) & 0xffff);
            let rival = ip(&format!("{a:x}:{b:x}:{c:x}:{d:x}::1"));
            assert_ne!(key_of(rival), key, "{rival} against {v4}");
            for v6 in ["::", "::1", "ff02::1", "ffff:ffff:ffff:ffff::", &format!("::{v4}")] {
                assert_ne!(key_of(ip(v6)), key, "{v6} against {v4}");
            }
        }
    }
}
