"""Sentences in many languages, written for these tests, by the code of the language."""

SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "The mill by the river has ground wheat for the whole valley since my grandfather was a boy.",
        "Nobody in the office noticed that the clock above the door had been running backwards all week.",
        "If the ferry is late again, we shall have to spend the night in the village on the other side.",
    ),
    "ru": (
        "Утром старый мельник вышел на крыльцо и долго смотрел, как над рекой поднимается туман.",
        "В мастерской пахло стружкой и клеем, а на верстаке лежала недоделанная скрипка.",
        "Если поезд опять опоздает, нам придётся ночевать на станции вместе с проводниками.",
    ),
    "uk": (
        "Уранці на подвір'ї було тихо, лише бджоли гули над квітами біля старої криниці.",
        "Ми довго чекали на автобус, а потім вирішили йти пішки через поле до сусіднього села.",
    ),
    "de": (
        "Der Bäcker an der Ecke verkauft seit vierzig Jahren jeden Morgen dieselben knusprigen Brötchen.",
        "Wenn der Zug wieder Verspätung hat, müssen wir die Nacht im Gasthaus am Bahnhof verbringen.",
    ),
    "fr": (
        "Chaque matin, le boulanger ouvre sa boutique avant l'aube et la rue entière sent le pain chaud.",
        "Nous avons marché longtemps dans la forêt avant de trouver la petite maison au bord du lac.",
    ),
    "es": (
        "Cada mañana el panadero abre la tienda antes del amanecer y toda la calle huele a pan recién hecho.",
        "Caminamos mucho tiempo por el bosque hasta encontrar la casita que estaba junto al lago.",
    ),
    "it": (
        "Ogni mattina il fornaio apre la bottega prima dell'alba e tutta la strada profuma di pane caldo.",
        "Abbiamo camminato a lungo nel bosco prima di trovare la casetta sulla riva del lago.",
    ),
    "pl": (
        "Każdego ranka piekarz otwiera sklep jeszcze przed świtem, a cała ulica pachnie świeżym chlebem.",
        "Długo szliśmy przez las, zanim znaleźliśmy mały domek nad brzegiem jeziora.",
    ),
    "tr": (
        "Fırıncı her sabah güneş doğmadan dükkânını açar ve bütün sokak taze ekmek kokar.",
        "Gölün kıyısındaki küçük evi bulana kadar ormanda uzun süre yürüdük.",
    ),
    "fi": (
        "Leipuri avaa kauppansa joka aamu ennen auringonnousua, ja koko katu tuoksuu tuoreelle leivälle.",
        "Kävelimme metsässä pitkään ennen kuin löysimme pienen talon järven rannalta.",
    ),
    "el": (
        "Κάθε πρωί ο φούρναρης ανοίγει το μαγαζί του πριν ξημερώσει και όλος ο δρόμος μυρίζει ζεστό ψωμί.",
        "Περπατήσαμε πολλή ώρα στο δάσος μέχρι να βρούμε το μικρό σπίτι δίπλα στη λίμνη.",
    ),
    "ar": (
        "يفتح الخباز دكانه كل صباح قبل شروق الشمس فتمتلئ الحارة برائحة الخبز الطازج.",
        "مشينا طويلا في الغابة قبل أن نجد البيت الصغير على ضفة البحيرة.",
    ),
    "he": (
        "כל בוקר האופה פותח את החנות לפני הזריחה וכל הרחוב מתמלא בריח של לחם טרי.",
        "הלכנו זמן רב ביער עד שמצאנו את הבית הקטן על שפת האגם.",
    ),
    "hi": (
        "हर सुबह बेकरी वाला सूरज निकलने से पहले अपनी दुकान खोलता है और पूरी गली ताज़ी रोटी की महक से भर जाती है।",
        "हम जंगल में बहुत देर तक चलते रहे, फिर हमें झील के किनारे एक छोटा सा घर मिला।",
    ),
    "th": (
        "ทุกเช้าคนทำขนมปังจะเปิดร้านก่อนพระอาทิตย์ขึ้น และทั้งถนนก็หอมกลิ่นขนมปังอบใหม่",
        "เราเดินอยู่ในป่าเป็นเวลานานกว่าจะพบบ้านหลังเล็กริมทะเลสาบ",
    ),
    "zh": (
        "面包师每天早上天还没亮就打开店门，整条街都飘着刚出炉的面包香味。",
        "我们在森林里走了很久，才找到湖边的那座小房子。",
    ),
    "ja": (
        "パン屋は毎朝、日の出前に店を開けるので、通り全体が焼きたてのパンの香りに包まれます。",
        "湖のほとりの小さな家を見つけるまで、私たちは森の中を長い間歩きました。",
    ),
    "ko": (
        "빵집 주인은 매일 아침 해가 뜨기 전에 가게 문을 열고, 온 거리에 갓 구운 빵 냄새가 퍼진다.",
        "우리는 호숫가의 작은 집을 찾을 때까지 숲속을 오랫동안 걸었다.",
    ),
    "hy": (
        "Ամեն առավոտ հացթուխը բացում է խանութը արևածագից առաջ, և ամբողջ փողոցը լցվում է թարմ հացի հոտով։",
    ),
    "ka": ("ყოველ დილით მცხობელი მზის ამოსვლამდე ხსნის მაღაზიას და მთელ ქუჩას ახალი პურის სუნი ავსებს.",),
}
