//! The ERP's base data (基础资料): what a document may refer to by number.
//!
//! Takes the played company of `world`, gives items by book and number. Never knows a document.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::value::Json;
use crate::sandbox::world;

/// A kind of base data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Book {
    Organisations,
    Customers,
    Materials,
    Stocks,
    /// 销售员: the number of the salesman's record, not of the employee.
    Salesmen,
    Currencies,
    Units,
    BillTypes,
    ReturnTypes,
    StockStatuses,
    ExchangeTypes,
    /// Departments, lots, custom objects …: whatever number is given exists.
    Open,
}

impl Book {
    /// Those that can be queried: form id, key of the internal id (there is no FID), and the book.
    pub const FORMS: [(&'static str, &'static str, Book); 7] = [
        ("BD_MATERIAL", "FMATERIALID", Book::Materials),
        ("BD_Customer", "FCUSTID", Book::Customers),
        ("BD_STOCK", "FSTOCKID", Book::Stocks),
        ("BD_UNIT", "FUNITID", Book::Units),
        ("BD_Currency", "FCURRENCYID", Book::Currencies),
        ("BD_OPERATOR", "FOperatorId", Book::Salesmen),
        ("ORG_Organizations", "FORGID", Book::Organisations),
    ];

    /// What the product calls it.
    pub fn caption(self) -> &'static str {
        match self {
            Book::Organisations => "组织",
            Book::Customers => "客户",
            Book::Materials => "物料",
            Book::Stocks => "仓库",
            Book::Salesmen => "销售员",
            Book::Currencies => "币别",
            Book::Units => "计量单位",
            Book::BillTypes => "单据类型",
            Book::ReturnTypes => "退货类型",
            Book::StockStatuses => "库存状态",
            Book::ExchangeTypes => "汇率类型",
            Book::Open => "基础资料",
        }
    }
}

/// One piece of base data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub id: u64,
    pub name: String,
}

/// All base data.
#[derive(Debug)]
pub struct BaseData {
    books: HashMap<Book, BTreeMap<String, Item>>,
    /// Numbers refused although they are in their book, as if they were not.
    refused: BTreeSet<(Book, String)>,
    next_id: u64,
}

impl BaseData {
    /// What the played company has.
    pub fn of_world() -> Self {
        let mut base = BaseData { books: HashMap::new(), refused: BTreeSet::new(), next_id: 100_001 };
        for (number, name) in world::ORGANISATIONS {
            base.add(Book::Organisations, number, name);
        }
        for number in 1..=world::MATERIALS {
            base.add(Book::Materials, &world::material(number), &format!("商品{number:05}"));
        }
        for (place, name) in world::DISTRIBUTORS.iter().enumerate() {
            base.add(Book::Customers, &world::customer(place), name);
        }
        for warehouse in world::WAREHOUSES {
            base.add(Book::Stocks, warehouse.stock, warehouse.name);
            base.add(Book::Customers, warehouse.house_customer, &format!("{}散客", warehouse.name));
        }
        for (name, number) in world::SALESMEN {
            base.add(Book::Salesmen, number, name);
        }
        let (currency, name, _) = world::CURRENCY;
        base.add(Book::Currencies, currency, name);
        for (book, numbers) in [
            (Book::BillTypes, world::BILL_TYPES.as_slice()),
            (Book::ReturnTypes, world::RETURN_TYPES.as_slice()),
            (Book::Units, &["Pcs"]),
            (Book::StockStatuses, &["KCZT01_SYS"]),
            (Book::ExchangeTypes, &["HLTX01_SYS"]),
        ] {
            for number in numbers {
                base.add(book, number, number);
            }
        }
        base
    }

    /// Adds an item, or renames it.
    pub fn add(&mut self, book: Book, number: &str, name: &str) {
        self.refused.remove(&(book, number.to_owned()));
        let item = Item { id: self.next_id, name: name.to_owned() };
        self.next_id += 1;
        self.books.entry(book).or_default().insert(number.to_owned(), item);
    }

    /// Lets an item be unknown from now on.
    pub fn refuse(&mut self, book: Book, number: &str) {
        self.refused.insert((book, number.to_owned()));
    }

    /// The item with this number.
    pub fn find(&self, book: Book, number: &str) -> Option<&Item> {
        let refused = !self.refused.is_empty() && self.refused.contains(&(book, number.to_owned()));
        self.books.get(&book)?.get(number).filter(|_| !refused)
    }

    /// All items of a book, by number.
    pub fn items(&self, book: Book) -> impl Iterator<Item = (&str, &Item)> {
        let numbers = self.books.get(&book).into_iter().flat_map(BTreeMap::keys);
        numbers.filter_map(move |number| self.find(book, number).map(|item| (number.as_str(), item)))
    }

    /// Whether a document may refer to this.
    pub fn knows(&self, book: Book, given: Given<'_>) -> bool {
        match given {
            Given::Number(number) => book == Book::Open || self.find(book, number).is_some(),
            Given::Id(id) => book == Book::Open || self.items(book).any(|(_, item)| item.id.to_string() == id),
            Given::Nothing | Given::Misshapen => false,
        }
    }
}

/// How a document refers to base data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// Null, `""`, `{}` or an object with an empty number.
    Nothing,
    /// `{"FNumber":"x"}`, in any letter case; `{"FStaffNumber":…}` of employees, `{"FNAME":…}` of contacts.
    Number(&'a str),
    /// `{"FStockId":1}`: by internal id.
    Id(&'a str),
    /// A plain text or number, or a list: not how base data is written.
    Misshapen,
}

impl<'a> Given<'a> {
    /// Reads the value of a field.
    pub fn read(value: &'a Json) -> Given<'a> {
        match value {
            Json::Object(members) => {
                let named = ["FNumber", "FStaffNumber", "FName"].iter().find_map(|key| value.get(key));
                match named.or_else(|| members.first().map(|(_, id)| id)).map(Json::plain) {
                    None | Some("") => Given::Nothing,
                    Some(number) if named.is_some() => Given::Number(number),
                    Some(id) => Given::Id(id),
                }
            }
            scalar if scalar.is_scalar() && scalar.plain().is_empty() => Given::Nothing,
            _ => Given::Misshapen,
        }
    }

    /// The number or id as text; `""` for nothing.
    pub fn text(self) -> &'a str {
        match self {
            Given::Number(text) | Given::Id(text) => text,
            Given::Nothing | Given::Misshapen => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_in_every_written_form() {
        let base = BaseData::of_world();
        let first = base.find(Book::Stocks, "CK001").unwrap().id;
        for (text, book, known) in [
            (r#"{"FNumber":"SKU00001"}"#, Book::Materials, true),
            (r#"{"FNUMBER":"SKU00001"}"#, Book::Materials, true),
            (r#"{"FNumber":"SKU99001"}"#, Book::Materials, false),
            (r#"{"FNumber":"whatever"}"#, Book::Open, true),
            (&format!(r#"{{"FStockId":{first}}}"#), Book::Stocks, true),
            (r#"{"FStockId":1}"#, Book::Stocks, false),
            (r#"{"FNumber":""}"#, Book::Open, false),
            (r#"{}"#, Book::Open, false),
            ("null", Book::Open, false),
            (r#""SKU00001""#, Book::Materials, false),
        ] {
            assert_eq!(base.knows(book, Given::read(&Json::parse(text).unwrap())), known, "{text}");
        }
        assert_eq!(Given::read(&Json::text("SKU00001")), Given::Misshapen);
    }

    #[test]
    fn what_is_refused_is_unknown_until_it_is_added_again() {
        let mut base = BaseData::of_world();
        let count = base.items(Book::Materials).count();
        base.refuse(Book::Materials, "SKU00007");
        assert_eq!((base.find(Book::Materials, "SKU00007"), base.items(Book::Materials).count()), (None, count - 1));
        base.add(Book::Materials, "SKU00007", "again");
        assert_eq!(base.items(Book::Materials).count(), count);
    }
}
