"""Three hundred well-known books with Dutch subject words: the demo library, and subjects for imported loans.

Only facts: title, first author, year of first publication, and our own subject words. A line each, fields parted
by a bar; the subject words are the vocabulary that the demo's events use too.
"""

from dataclasses import dataclass
from functools import lru_cache

from recommender.sources.document import normal

_ROWS = """
Het verdriet van België|Hugo Claus|1983|oorlog familie vlaanderen
De Kapellekensbaan|Louis Paul Boon|1953|vlaanderen maatschappij
Kaas|Willem Elsschot|1933|antwerpen humor economie
Lijmen|Willem Elsschot|1924|antwerpen economie humor
Villa des Roses|Willem Elsschot|1913|liefde antwerpen
Oorlog en terpentijn|Stefan Hertmans|2013|oorlog schilderkunst familie
De bekeerlinge|Stefan Hertmans|2016|middeleeuwen religie liefde
Wil|Jeroen Olyslaegers|2016|antwerpen oorlog
Wildevrouw|Jeroen Olyslaegers|2020|antwerpen schilderkunst geschiedenis
De helaasheid der dingen|Dimitri Verhulst|2006|familie humor vlaanderen
De engelenmaker|Stefan Brijs|2005|wetenschap thriller
Het smelt|Lize Spit|2016|familie vlaanderen psychologie
Sprakeloos|Tom Lanoye|2009|familie theater vlaanderen
Kartonnen dozen|Tom Lanoye|1991|liefde vlaanderen
De Leeuw van Vlaanderen|Hendrik Conscience|1838|middeleeuwen geschiedenis vlaanderen
De witte|Ernest Claes|1920|kinderen humor vlaanderen
Pallieter|Felix Timmermans|1916|natuur vlaanderen humor
Bezette stad|Paul van Ostaijen|1921|poëzie oorlog antwerpen
Congo, een geschiedenis|David Van Reybrouck|2010|afrika geschiedenis politiek
Revolusi|David Van Reybrouck|2020|azië geschiedenis politiek
De aanslag|Harry Mulisch|1982|oorlog
De ontdekking van de hemel|Harry Mulisch|1992|religie filosofie sterrenkunde
De donkere kamer van Damokles|W.F. Hermans|1958|oorlog thriller
Nooit meer slapen|W.F. Hermans|1966|reizen wetenschap natuur
De avonden|Gerard Reve|1947|familie psychologie
Turks fruit|Jan Wolkers|1969|liefde beeldhouwkunst
Hersenschimmen|J. Bernlef|1984|psychologie familie
Max Havelaar|Multatuli|1860|azië politiek economie
Het achterhuis|Anne Frank|1947|oorlog familie
Hoe God verdween uit Jorwerd|Geert Mak|1996|religie maatschappij geschiedenis
De meeste mensen deugen|Rutger Bregman|2019|psychologie geschiedenis maatschappij
Gratis geld voor iedereen|Rutger Bregman|2014|economie politiek
Het puttertje|Donna Tartt|2013|schilderkunst familie
De verborgen geschiedenis|Donna Tartt|1992|oudheid thriller
De avond is ongemak|Marieke Lucas Rijneveld|2018|familie religie
Rituelen|Cees Nooteboom|1980|filosofie azië
De omweg naar Santiago|Cees Nooteboom|1992|reizen architectuur religie
Joe Speedboot|Tommy Wieringa|2005|techniek liefde
Dit zijn de namen|Tommy Wieringa|2012|migratie religie
Grand Hotel Europa|Ilja Leonard Pfeijffer|2018|reizen liefde schilderkunst
Alkibiades|Ilja Leonard Pfeijffer|2023|oudheid politiek
Jip en Janneke|Annie M.G. Schmidt|1953|kinderen humor
Pluk van de Petteflet|Annie M.G. Schmidt|1971|kinderen dieren natuur
Minoes|Annie M.G. Schmidt|1970|kinderen dieren
Kruistocht in spijkerbroek|Thea Beckman|1973|kinderen middeleeuwen geschiedenis
De brief voor de koning|Tonke Dragt|1962|kinderen fantasy middeleeuwen
Kikker is verliefd|Max Velthuijs|1989|kinderen dieren liefde
Nijntje in het museum|Dick Bruna|1997|kinderen schilderkunst
De gebroeders Leeuwenhart|Astrid Lindgren|1973|kinderen fantasy
Matilda|Roald Dahl|1988|kinderen humor taal
De GVR|Roald Dahl|1982|kinderen fantasy
Sjakie en de chocoladefabriek|Roald Dahl|1964|kinderen koken fantasy
De kleine prins|Antoine de Saint-Exupéry|1943|kinderen filosofie sterrenkunde
Alice in Wonderland|Lewis Carroll|1865|kinderen fantasy
Het noorderlicht|Philip Pullman|1995|fantasy kinderen religie
De leeuw, de heks en de kleerkast|C.S. Lewis|1950|fantasy kinderen
De Hobbit|J.R.R. Tolkien|1937|fantasy reizen
In de ban van de ring|J.R.R. Tolkien|1954|fantasy oorlog
De linkerhand van het duister|Ursula K. Le Guin|1969|sciencefiction maatschappij
De kleur van toverij|Terry Pratchett|1983|fantasy humor
Goede voortekens|Terry Pratchett|1990|fantasy humor religie
Amerikaanse goden|Neil Gaiman|2001|fantasy religie reizen
Coraline|Neil Gaiman|2002|fantasy kinderen
De naam van de wind|Patrick Rothfuss|2007|fantasy muziek
Het spel der tronen|George R.R. Martin|1996|fantasy politiek middeleeuwen
De laatste wens|Andrzej Sapkowski|1993|fantasy dieren
Duin|Frank Herbert|1965|sciencefiction politiek klimaat
Foundation|Isaac Asimov|1951|sciencefiction geschiedenis
Ik, robot|Isaac Asimov|1950|sciencefiction techniek
Neuromancer|William Gibson|1984|sciencefiction techniek
Dromen androïden van elektrische schapen|Philip K. Dick|1968|sciencefiction techniek dieren
Het transgalactisch liftershandboek|Douglas Adams|1979|sciencefiction humor sterrenkunde
2001, een ruimte-odyssee|Arthur C. Clarke|1968|sciencefiction sterrenkunde film
Solaris|Stanisław Lem|1961|sciencefiction sterrenkunde psychologie
Het drielichamenprobleem|Liu Cixin|2006|sciencefiction azië sterrenkunde
Fahrenheit 451|Ray Bradbury|1953|sciencefiction taal politiek
1984|George Orwell|1949|politiek sciencefiction
Dierenboerderij|George Orwell|1945|politiek dieren
Brave New World|Aldous Huxley|1932|sciencefiction maatschappij
De tijdmachine|H.G. Wells|1895|sciencefiction
Twintigduizend mijlen onder zee|Jules Verne|1870|sciencefiction zee reizen
De reis om de wereld in tachtig dagen|Jules Verne|1872|reizen humor
De Marsman|Andy Weir|2011|sciencefiction sterrenkunde techniek
Station Elf|Emily St. John Mandel|2014|sciencefiction theater
Nocturnes|Kazuo Ishiguro|2009|muziek liefde
Het verhaal van de dienstmaagd|Margaret Atwood|1985|sciencefiction maatschappij politiek
Oryx en Crake|Margaret Atwood|2003|sciencefiction klimaat wetenschap
De weg|Cormac McCarthy|2006|sciencefiction familie
Frankenstein|Mary Shelley|1818|sciencefiction wetenschap thriller
Dracula|Bram Stoker|1897|thriller fantasy
Het portret van Dorian Gray|Oscar Wilde|1890|schilderkunst filosofie
De naam van de roos|Umberto Eco|1980|middeleeuwen thriller religie
De slinger van Foucault|Umberto Eco|1988|thriller geschiedenis
De hond van de Baskervilles|Arthur Conan Doyle|1902|thriller dieren
De gele hond|Georges Simenon|1931|thriller
De man die de treinen voorbij zag gaan|Georges Simenon|1938|thriller psychologie
Moordenaar zonder gezicht|Henning Mankell|1991|thriller migratie
Smilla's gevoel voor sneeuw|Peter Høeg|1992|thriller natuur
De Da Vinci Code|Dan Brown|2003|thriller schilderkunst religie
De talentvolle meneer Ripley|Patricia Highsmith|1955|thriller psychologie reizen
In koelen bloede|Truman Capote|1966|thriller maatschappij
De schaduw van de wind|Carlos Ruiz Zafón|2001|thriller taal liefde
Het meisje in de trein|Paula Hawkins|2015|thriller psychologie
De zaak Alzheimer|Jef Geeraerts|1985|thriller antwerpen
Honderd jaar eenzaamheid|Gabriel García Márquez|1967|latijns-amerika familie
Liefde in tijden van cholera|Gabriel García Márquez|1985|latijns-amerika liefde
Het huis met de geesten|Isabel Allende|1982|latijns-amerika familie politiek
Ficciones|Jorge Luis Borges|1944|latijns-amerika filosofie taal
Rayuela|Julio Cortázar|1963|latijns-amerika jazz liefde
Het feest van de bok|Mario Vargas Llosa|2000|latijns-amerika politiek
De woeste zoekers|Roberto Bolaño|1998|latijns-amerika poëzie reizen
Pedro Páramo|Juan Rulfo|1955|latijns-amerika familie
De open aderen van Latijns-Amerika|Eduardo Galeano|1971|latijns-amerika economie geschiedenis
Een wereld valt uiteen|Chinua Achebe|1958|afrika maatschappij religie
Americanah|Chimamanda Ngozi Adichie|2013|afrika migratie liefde
Een halve gele zon|Chimamanda Ngozi Adichie|2006|afrika oorlog liefde
Hart der duisternis|Joseph Conrad|1899|afrika reizen
In ongenade|J.M. Coetzee|1999|afrika maatschappij
Klein land|Gaël Faye|2016|afrika oorlog kinderen
De gifhouten bijbel|Barbara Kingsolver|1998|afrika religie familie
Lange weg naar de vrijheid|Nelson Mandela|1994|afrika politiek biografie
Ebbenhout|Ryszard Kapuściński|1998|afrika reizen journalistiek
Homegoing|Yaa Gyasi|2016|afrika familie geschiedenis
Norwegian Wood|Haruki Murakami|1987|azië liefde pop
Kafka op het strand|Haruki Murakami|2002|azië fantasy muziek
De opwindvogelkronieken|Haruki Murakami|1994|azië oorlog
Portret in jazz|Haruki Murakami|1997|jazz muziek azië
Sneeuwland|Yasunari Kawabata|1947|azië liefde natuur
De vegetariër|Han Kang|2007|azië psychologie koken
Pachinko|Min Jin Lee|2017|azië migratie familie
Wilde zwanen|Jung Chang|1991|azië familie politiek
De god van kleine dingen|Arundhati Roy|1997|azië familie
Middernachtskinderen|Salman Rushdie|1981|azië geschiedenis familie
De vliegeraar|Khaled Hosseini|2003|azië oorlog migratie
Ik heet Karmozijn|Orhan Pamuk|1998|schilderkunst geschiedenis thriller
Istanbul|Orhan Pamuk|2003|reizen biografie architectuur
Lof der schaduw|Jun'ichirō Tanizaki|1933|azië architectuur design
Het hoofdkussenboek|Sei Shōnagon|1002|azië geschiedenis poëzie
Anna Karenina|Lev Tolstoj|1877|liefde familie maatschappij
Misdaad en straf|Fjodor Dostojevski|1866|psychologie filosofie thriller
De gebroeders Karamazov|Fjodor Dostojevski|1880|filosofie religie familie
De meester en Margarita|Michail Boelgakov|1967|fantasy theater religie
De kersentuin|Anton Tsjechov|1904|theater familie
Het einde van de rode mens|Svetlana Aleksijevitsj|2013|geschiedenis journalistiek politiek
Wij houden van Tsjernobyl|Svetlana Aleksijevitsj|1997|wetenschap journalistiek klimaat
De ellendigen|Victor Hugo|1862|geschiedenis maatschappij
De klokkenluider van de Notre-Dame|Victor Hugo|1831|middeleeuwen architectuur liefde
De graaf van Monte-Cristo|Alexandre Dumas|1844|geschiedenis thriller
Op zoek naar de verloren tijd|Marcel Proust|1913|psychologie liefde muziek
De vreemdeling|Albert Camus|1942|filosofie afrika
De pest|Albert Camus|1947|filosofie gezondheid afrika
De jaren|Annie Ernaux|2008|biografie maatschappij familie
Onderworpen|Michel Houellebecq|2015|politiek religie
De tweede sekse|Simone de Beauvoir|1949|filosofie maatschappij
Don Quichot|Miguel de Cervantes|1605|humor reizen
De goddelijke komedie|Dante Alighieri|1320|poëzie middeleeuwen religie
De Decamerone|Giovanni Boccaccio|1353|middeleeuwen humor liefde
De geniale vriendin|Elena Ferrante|2011|familie maatschappij
Het periodiek systeem|Primo Levi|1975|wetenschap biografie
De onzichtbare steden|Italo Calvino|1972|architectuur reizen fantasy
De acht bergen|Paolo Cognetti|2016|natuur reizen familie
Het boek der rusteloosheid|Fernando Pessoa|1982|poëzie filosofie
De stad der blinden|José Saramago|1995|maatschappij gezondheid
De gedaanteverwisseling|Franz Kafka|1915|psychologie familie
Het proces|Franz Kafka|1925|recht filosofie
De toverberg|Thomas Mann|1924|filosofie gezondheid
Doctor Faustus|Thomas Mann|1947|klassiek muziek filosofie
Siddhartha|Hermann Hesse|1922|religie azië filosofie
De steppewolf|Hermann Hesse|1927|psychologie muziek
Schaaknovelle|Stefan Zweig|1942|psychologie oorlog sport
De blikken trommel|Günter Grass|1959|oorlog muziek
Austerlitz|W.G. Sebald|2001|antwerpen architectuur oorlog
De voorlezer|Bernhard Schlink|1995|recht oorlog liefde
Woeste hoogten|Emily Brontë|1847|liefde natuur
Grote verwachtingen|Charles Dickens|1861|maatschappij familie
Mevrouw Dalloway|Virginia Woolf|1925|psychologie maatschappij
Naar de vuurtoren|Virginia Woolf|1927|schilderkunst zee familie
Ulysses|James Joyce|1922|taal maatschappij
Wachten op Godot|Samuel Beckett|1953|theater filosofie
Hamlet|William Shakespeare|1603|theater filosofie
Romeo en Julia|William Shakespeare|1597|theater liefde
De storm|William Shakespeare|1611|theater zee fantasy
Antigone|Sophocles|-441|theater oudheid politiek
Medea|Euripides|-431|theater oudheid familie
De Odyssee|Homerus|-700|oudheid poëzie reizen
De Ilias|Homerus|-750|oudheid poëzie oorlog
Metamorfosen|Ovidius|8|oudheid poëzie fantasy
Ik, Claudius|Robert Graves|1934|oudheid politiek
Hadrianus' gedenkschriften|Marguerite Yourcenar|1951|oudheid biografie
Het hermetisch zwart|Marguerite Yourcenar|1968|middeleeuwen wetenschap vlaanderen
Circe|Madeline Miller|2018|oudheid fantasy
Overpeinzingen|Marcus Aurelius|180|oudheid filosofie
SPQR|Mary Beard|2015|oudheid geschiedenis
Moby Dick|Herman Melville|1851|zee dieren reizen
De oude man en de zee|Ernest Hemingway|1952|zee dieren
De grote Gatsby|F. Scott Fitzgerald|1925|jazz liefde maatschappij
Muizen en mannen|John Steinbeck|1937|maatschappij economie
De druiven der gramschap|John Steinbeck|1939|economie migratie
Spaar de spotlijster|Harper Lee|1960|recht maatschappij kinderen
Jazz|Toni Morrison|1992|jazz liefde geschiedenis
De vanger in het graan|J.D. Salinger|1951|psychologie
On the Road|Jack Kerouac|1957|reizen jazz
Catch-22|Joseph Heller|1961|oorlog humor
De glazen stolp|Sylvia Plath|1963|psychologie gezondheid
Stoner|John Williams|1965|taal familie
De correcties|Jonathan Franzen|2001|familie maatschappij
De pilaren van de aarde|Ken Follett|1989|middeleeuwen architectuur religie
Meisje met de parel|Tracy Chevalier|1999|schilderkunst geschiedenis
De boekendief|Markus Zusak|2005|oorlog kinderen taal
Het leven van Pi|Yann Martel|2001|zee dieren religie
De jongen in de gestreepte pyjama|John Boyne|2006|oorlog kinderen
De honderdjarige man die uit het raam klom en verdween|Jonas Jonasson|2009|humor reizen
Een man die Ove heet|Fredrik Backman|2012|humor familie
Boetekleed|Ian McEwan|2001|oorlog liefde familie
Amsterdam|Ian McEwan|1998|muziek klassiek journalistiek
Max, Mischa & het Tet-offensief|Johan Harstad|2015|film theater migratie
Het lelietheater|Lulu Wang|1997|azië theater kinderen
High Fidelity|Nick Hornby|1995|pop rock liefde
Just Kids|Patti Smith|2010|rock biografie fotografie
Life|Keith Richards|2010|rock biografie
Kronieken|Bob Dylan|2004|rock pop biografie
Kind of Blue|Ashley Kahn|2000|jazz muziek biografie
Miles, de autobiografie|Miles Davis|1989|jazz biografie
But Beautiful|Geoff Dyer|1991|jazz fotografie
De rest is lawaai|Alex Ross|2007|klassiek muziek geschiedenis
Musicofilia|Oliver Sacks|2007|muziek psychologie wetenschap
Het tumult van de tijd|Julian Barnes|2016|klassiek muziek politiek
Verwante stemmen|Vikram Seth|1999|klassiek muziek liefde
De virtuoos|Margriet de Moor|1993|opera muziek liefde
Het spook van de opera|Gaston Leroux|1910|opera thriller
Mijn leven|Isadora Duncan|1927|dans biografie
Ballet Shoes|Noel Streatfeild|1936|dans kinderen
Apollo's Angels|Jennifer Homans|2010|dans geschiedenis
Swing Time|Zadie Smith|2016|dans afrika
Witte tanden|Zadie Smith|2000|migratie humor familie
Eeuwige schoonheid|E.H. Gombrich|1950|schilderkunst architectuur geschiedenis
Anders zien|John Berger|1972|schilderkunst fotografie
Over fotografie|Susan Sontag|1977|fotografie filosofie
De heldere kamer|Roland Barthes|1980|fotografie filosofie
Het beslissende moment|Henri Cartier-Bresson|1952|fotografie journalistiek
Brieven aan Theo|Vincent van Gogh|1914|schilderkunst biografie
The Agony and the Ecstasy|Irving Stone|1961|schilderkunst beeldhouwkunst biografie
Frida|Hayden Herrera|1983|schilderkunst biografie latijns-amerika
De levens van de kunstenaars|Giorgio Vasari|1550|schilderkunst beeldhouwkunst geschiedenis
Auguste Rodin|Rainer Maria Rilke|1903|beeldhouwkunst biografie
Brieven aan een jonge dichter|Rainer Maria Rilke|1929|poëzie filosofie
Hitchcock/Truffaut|François Truffaut|1966|film biografie
De verzegelde tijd|Andrej Tarkovski|1985|film filosofie
De dood en het leven van grote Amerikaanse steden|Jane Jacobs|1961|architectuur maatschappij
De architectuur van het geluk|Alain de Botton|2006|architectuur filosofie
De troost van de filosofie|Alain de Botton|2000|filosofie psychologie
Design for the Real World|Victor Papanek|1971|design klimaat
The Design of Everyday Things|Don Norman|1988|design techniek psychologie
Christian Dior en ik|Christian Dior|1956|mode biografie
Het systeem van de mode|Roland Barthes|1967|mode taal
Coco Chanel|Justine Picardie|2010|mode biografie
Aldus sprak Zarathoestra|Friedrich Nietzsche|1883|filosofie poëzie
De republiek|Plato|-375|filosofie oudheid politiek
De banaliteit van het kwaad|Hannah Arendt|1963|filosofie recht oorlog
Ethica|Baruch Spinoza|1677|filosofie religie
Sapiens|Yuval Noah Harari|2011|geschiedenis wetenschap
Zwaarden, paarden en ziektekiemen|Jared Diamond|1997|geschiedenis wetenschap
De zijderoutes|Peter Frankopan|2015|geschiedenis azië economie
Het kapitaal in de 21ste eeuw|Thomas Piketty|2013|economie politiek
Ons feilbare denken|Daniel Kahneman|2011|psychologie economie
De man die zijn vrouw voor een hoed hield|Oliver Sacks|1985|psychologie gezondheid
Een kleine geschiedenis van bijna alles|Bill Bryson|2003|wetenschap sterrenkunde humor
Het heelal|Stephen Hawking|1988|sterrenkunde wetenschap
Cosmos|Carl Sagan|1980|sterrenkunde wetenschap
Over het ontstaan van soorten|Charles Darwin|1859|wetenschap dieren natuur
De zelfzuchtige genen|Richard Dawkins|1976|wetenschap dieren
Dode lente|Rachel Carson|1962|klimaat natuur wetenschap
Het verborgen leven van bomen|Peter Wohlleben|2015|natuur wetenschap
Het zesde uitsterven|Elizabeth Kolbert|2014|klimaat dieren wetenschap
Dit verandert alles|Naomi Klein|2014|klimaat politiek economie
De uitvinder van de natuur|Andrea Wulf|2015|natuur biografie reizen
Walden|Henry David Thoreau|1854|natuur filosofie
Gorilla's in de mist|Dian Fossey|1983|dieren afrika natuur
De Camino|Shirley MacLaine|2000|reizen religie
In Patagonië|Bruce Chatwin|1977|reizen latijns-amerika
Reizen met Herodotos|Ryszard Kapuściński|2004|reizen journalistiek oudheid
Zout, vet, zuur, hitte|Samin Nosrat|2017|koken wetenschap
Simpel|Yotam Ottolenghi|2018|koken
Jeruzalem|Yotam Ottolenghi|2012|koken reizen
Ons kookboek|Boerinnenbond|1927|koken vlaanderen
De fysiologie van de smaak|Jean Anthelme Brillat-Savarin|1825|koken filosofie
De renner|Tim Krabbé|1978|sport
Open|Andre Agassi|2009|sport biografie
Waarover ik praat als ik over hardlopen praat|Haruki Murakami|2007|sport biografie azië
Voetbalkoorts|Nick Hornby|1992|sport humor
Kuifje in Tibet|Hergé|1960|strips reizen azië
De zaak Zonnebloem|Hergé|1956|strips thriller
Suske en Wiske: het Spaanse spook|Willy Vandersteen|1952|strips antwerpen humor
Nero: het geheim van Matsuoka|Marc Sleen|1947|strips humor
Asterix de Galliër|René Goscinny|1961|strips oudheid humor
Maus|Art Spiegelman|1991|strips oorlog biografie
Persepolis|Marjane Satrapi|2000|strips biografie politiek
Watchmen|Alan Moore|1987|strips sciencefiction
De kat|Philippe Geluck|1986|strips humor dieren
De arabier van de toekomst|Riad Sattouf|2014|strips migratie familie
"""


@dataclass(frozen=True)
class Book:
    """A book as the catalogue knows it; years before our era are negative."""

    id: str
    title: str
    author: str
    year: int
    topics: tuple[str, ...]


@lru_cache(maxsize=1)
def books() -> tuple[Book, ...]:
    """All rows in order; ids are `urn:kluis:book:1` and on."""
    rows = [line.split("|") for line in _ROWS.strip().splitlines()]
    return tuple(
        Book(f"urn:kluis:book:{n}", title, author, int(year), tuple(topics.split()))
        for n, (title, author, year, topics) in enumerate(rows, 1)
    )


@lru_cache(maxsize=1)
def _subjects() -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    return {normal(b.title): b.topics for b in books()}, frozenset(t for b in books() for t in b.topics)


def topics_of(title: str) -> tuple[str, ...]:
    """Subject words of a title: those of the book of that name, else the words of the title that are subjects."""
    by_title, vocabulary = _subjects()
    plain = normal(title)
    return by_title.get(plain) or tuple(w for w in dict.fromkeys(plain.split()) if w in vocabulary)
