//! A module's file: an ELF file that has nothing but what modinfo reads.

/// The file of a module: `facts` are the section `.modinfo`, `KEY=VALUE` each.
#[must_use]
pub fn image(facts: &[String]) -> Vec<u8> {
    const HEADER: usize = 64;
    const SECTION: usize = 64;
    let mut info = vec![0];
    facts.iter().for_each(|fact| info.extend(fact.bytes().chain([0])));
    let names = b"\0.modinfo\0.shstrtab\0";
    let table = (HEADER + info.len() + names.len()).next_multiple_of(8);

    let mut file = Vec::new();
    let order = if cfg!(target_endian = "big") { 2 } else { 1 };
    file.extend([0x7f, b'E', b'L', b'F', 2, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(1_u16.to_ne_bytes()); // relocatable
    file.extend(MACHINE.to_ne_bytes());
    file.extend(1_u32.to_ne_bytes());
    file.extend([0; 16]); // no entry, no segments
    file.extend((table as u64).to_ne_bytes());
    file.extend(0_u32.to_ne_bytes());
    for half in [HEADER as u16, 0, 0, SECTION as u16, 3, 2] {
        file.extend(half.to_ne_bytes());
    }
    file.extend(&info);
    file.extend(names);
    file.resize(table, 0);
    file.extend([0; SECTION]);
    let sections = [(1_u32, 1_u32, 2_u64, HEADER, info.len()), (10, 3, 0, HEADER + info.len(), names.len())];
    for (name, kind, flags, offset, size) in sections {
        file.extend(name.to_ne_bytes());
        file.extend(kind.to_ne_bytes());
        for number in [flags, 0, offset as u64, size as u64] {
            file.extend(number.to_ne_bytes());
        }
        file.extend([0; 8]); // no link, no info
        file.extend(1_u64.to_ne_bytes());
        file.extend(0_u64.to_ne_bytes());
    }
    file
}

/// The processor's number in ELF files.
const MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "s390x") {
    22
} else if cfg!(target_arch = "powerpc64") {
    21
} else {
    243
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_where_the_table_says() {
        let file = image(&["name=ap".to_owned(), "license=GPL".to_owned()]);
        let long = |at: usize| u64::from_ne_bytes(file[at..at + 8].try_into().expect("eight bytes")) as usize;
        let table = long(40);
        assert_eq!(file.len(), table + 3 * 64);
        let (offset, size) = (long(table + 64 + 24), long(table + 64 + 32));
        assert_eq!(&file[offset..offset + size], b"\0name=ap\0license=GPL\0");
    }

    #[test]
    fn each_section_is_found_by_its_name() {
        let file = image(&["name=ap".to_owned(), "license=GPL".to_owned()]);
        let word = |at: usize| u32::from_ne_bytes(file[at..at + 4].try_into().expect("four bytes")) as usize;
        let half = |at: usize| usize::from(u16::from_ne_bytes([file[at], file[at + 1]]));
        let long = |at: usize| u64::from_ne_bytes(file[at..at + 8].try_into().expect("eight bytes")) as usize;
        let (table, count, names) = (long(40), half(60), half(62));
        let header = |section: usize| table + section * 64;
        let content = |section: usize| {
            let (offset, size) = (long(header(section) + 24), long(header(section) + 32));
            &file[offset..offset + size]
        };
        let name = |section: usize| {
            let rest = &content(names)[word(header(section))..];
            rest.split(|byte| *byte == 0).next().map(|name| String::from_utf8_lossy(name).into_owned())
        };
        let sections: Vec<_> = (1..count).filter_map(name).collect();
        assert_eq!(sections, [".modinfo", ".shstrtab"]);
    }
}
