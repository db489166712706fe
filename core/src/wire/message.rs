//! The `message!` macro: a message is a list of fields, each with the versions that carry it.
//!
//! ```text
//! message! {
//!     /// What it is.
//!     Example {
//!         /// A field of all versions.
//!         [0..] name: String,
//!         /// A field that begins with version 2; earlier ones read the default.
//!         [2..] epoch: i32 = -1,
//!         tagged {
//!             /// A tagged field (KIP-482): written only when it differs from its default.
//!             [0, 3..] rack: Option<String>,
//!         }
//!     }
//! }
//! ```

macro_rules! message {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$field_meta:meta])* [$versions:expr] $field:ident : $type:ty $(= $default:expr)?, )*
            $(tagged {
                $( $(#[$tagged_meta:meta])* [$tag:literal, $tagged_versions:expr]
                   $tagged:ident : $tagged_type:ty $(= $tagged_default:expr)?, )*
            })?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
            $($( $(#[$tagged_meta])* pub $tagged: $tagged_type, )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $crate::wire::message::default!($($default)?), )*
                    $($( $tagged: $crate::wire::message::default!($($tagged_default)?), )*)?
                }
            }
        }

        impl $crate::wire::Wire for $name {
            #[allow(unused_mut, unused_variables, reason = "a message may have no field in a version")]
            fn decode(
                reader: &mut $crate::wire::Reader,
                version: $crate::wire::Version,
            ) -> Result<Self, $crate::wire::DecodeError> {
                let mut message = Self::default();
                $( if version.within($versions) {
                    message.$field = $crate::wire::Wire::decode(reader, version)?;
                } )*
                if version.flexible {
                    reader.tagged_fields(|tag, value| match tag {
                        $($( $tag if version.within($tagged_versions) => {
                            message.$tagged = $crate::wire::Wire::decode(value, version)?;
                            Ok(true)
                        } )*)?
                        _ => Ok(false),
                    })?;
                }
                Ok(message)
            }

            #[allow(unused_mut, unused_variables, reason = "a message may have no tagged field")]
            fn encode(&self, writer: &mut $crate::wire::Writer, version: $crate::wire::Version) {
                $( if version.within($versions) {
                    $crate::wire::Wire::encode(&self.$field, writer, version);
                } )*
                if version.flexible {
                    let mut count = 0;
                    $($(
                        let default: $tagged_type =
                            $crate::wire::message::default!($($tagged_default)?);
                        let $tagged = version.within($tagged_versions) && self.$tagged != default;
                        count += u32::from($tagged);
                    )*)?
                    $crate::wire::codec::put_unsigned_varint(writer, count);
                    $($( if $tagged {
                        $crate::wire::codec::put_tagged_field(writer, version, $tag, &self.$tagged);
                    } )*)?
                }
            }

            fn has_error(&self) -> bool {
                $( $crate::wire::Wire::has_error(&self.$field)
                    || stringify!($field) == "error_code"
                        && $crate::wire::Wire::is_error(&self.$field)
                    || )* false
            }
        }

        #[cfg(test)]
        impl $crate::wire::goldens::Sample for $name {
            fn sample(seed: &mut u8) -> Self {
                Self {
                    $( $field: $crate::wire::goldens::Sample::sample(seed), )*
                    $($( $tagged: $crate::wire::goldens::Sample::sample(seed), )*)?
                }
            }
        }

        /// A nullable structure is led by a byte: -1 for null, 1 for a value.
        impl $crate::wire::Nullable for $name {
            fn decode_nullable(
                reader: &mut $crate::wire::Reader,
                version: $crate::wire::Version,
            ) -> Result<Option<Self>, $crate::wire::DecodeError> {
                let marker: i8 = $crate::wire::Wire::decode(reader, version)?;
                if marker < 0 {
                    return Ok(None);
                }
                $crate::wire::Wire::decode(reader, version).map(Some)
            }

            fn encode_nullable(
                value: Option<&Self>,
                writer: &mut $crate::wire::Writer,
                version: $crate::wire::Version,
            ) {
                $crate::wire::Wire::encode(&if value.is_some() { 1_i8 } else { -1 }, writer, version);
                if let Some(value) = value {
                    $crate::wire::Wire::encode(value, writer, version);
                }
            }

            fn holds_error(&self) -> bool {
                $crate::wire::Wire::has_error(self)
            }
        }
    )*};
}

/// The given default, or the type's own.
macro_rules! default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

pub(crate) use {default, message};
