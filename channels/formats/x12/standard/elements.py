"""X12: the data elements and composites of the segments we speak, one a line. Data only.

Element: number, type, least/most length, our name for it. `1/30>1/50`: the lengths of 004010, and those from 005010 on.
Types: AN text, ID code, Nn integer with n implied decimals, R decimal, DT date CCYYMMDD, TM time HHMM[SS[D[D]]]. Length
of N and R leaves out sign and point.
Composite: number, then its components as elements, then syntax rules, both as in `segments`.
"""

from typing import Final

ELEMENTS: Final = """
2 N0 1/6 sets accepted
3 AN 1/60 message text
19 AN 2/30 city
22 AN 1/30 commodity code
23 ID 1/1 commodity code kind
24 AN 4/4 equipment type
26 AN 2/3 country
28 N0 1/9 group control number
40 ID 2/2 equipment
46 AN 4/4 ex parte
54 ID 2/2 risk of loss
55 AN 2/10 voyage
59 AN 2/5 freight class
61 AN 1/30 message text
65 R 1/8 height
66 ID 1/2 id kind
67 AN 2/80 id
76 AN 1/22 invoice number
79 AN 1/50 lading description
80 N0 1/7 lading quantity
81 R 1/10 weight
82 R 1/8 length
87 AN 1/48 marks
88 ID 1/2 marks kind
91 ID 1/2 transport method
92 ID 2/2 order type
93 AN 1/60 name
96 N0 1/10 segment count
97 N0 1/6 sets included
98 AN 2/3 party role
100 AN 3/3 currency
102 ID 1/1 ownership
103 AN 3/5 packaging
107 ID 1/2 payment method
110 ID 1/2 application verdict
113 AN 1/4 pier
114 AN 2/24 port
115 ID 1/1 port function
116 AN 3/15 postal code
118 R 1/9 rate
119 AN 1/6 rate basis
123 N0 1/6 sets received
124 AN 2/15 receiver's code
127 AN 1/30>1/50 reference
128 AN 2/3 reference kind
133 ID 1/2 routing sequence
140 AN 2/4 carrier
142 AN 2/15 sender's code
143 ID 3/3 set id
146 ID 2/2 freight payer
152 ID 2/3 special handling
156 AN 2/2 state
166 AN 1/55 address
168 AN 1/4 tariff agency
169 AN 1/16 tariff item
170 N0 1/2 tariff item part
171 AN 1/7 tariff
172 AN 1/2 tariff section
173 AN 1/4 tariff supplement
174 AN 2/30 terminal
182 AN 2/28 vessel
183 R 1/8 volume
184 ID 1/1 volume unit
187 ID 1/2 weight kind
188 ID 1/1 weight unit
189 R 1/8 width
200 AN 1/6 hazard page
206 AN 1/4 equipment initial
207 AN 1/10>1/15 equipment number
208 ID 1/1 hazard class kind
209 AN 1/4 hazard class
212 R 1/17 unit price
213 N0 1/3 lading line
215 AN 1/30 hazard class text
218 AN 14/40 placard
219 AN 1/3 trailer position
222 AN 4/25 hazard endorsement
224 AN 1/25 hazardous goods
225 AN 2/15 seal number
227 AN 1/2 tariff column
230 AN 1/3 subsidiary class
234 AN 1/48 product id
235 ID 2/2 product id kind
236 ID 3/3 price kind
238 AN 1/12 emergency plan
248 ID 1/1 allowance or charge
249 ID 1/1 vessel requirement
254 AN 1/3 packing group
267 N0 1/6>1/10 explosive quantity
271 ID 1/2 subsidiary risk
277 AN 6/6 hazard number
280 R 4/10 exchange rate
284 ID 2/2 service level
289 N0 1/2 price quantity
290 ID 2/2 price condition
291 ID 3/3 price condition applies
292 ID 3/3 quantity basis
294 N0 1/5 tariff distance
295 ID 1/1 distance unit
305 ID 1/2 handling
306 ID 1/2 action
309 ID 1/2 location kind
310 AN 1/30 location
324 AN 1/22 order number
325 AN 1/20 tax id
326 AN 1/45 request reference
327 AN 1/8 change number
328 AN 1/30 release number
329 AN 4/9 set control number
330 R 1/15 quantity ordered
331 ID 2/2 charge handling
332 R 1/6 percent
333 ID 1/2 terms basis date
334 ID 2/2 transport terms kind
335 ID 3/3 transport terms
336 ID 2/2 terms type
337 TM 4/8 time
338 R 1/6 discount percent
342 R 1/5 payable percent
344 ID 2/2 time unit
345 ID 2/2 lead time kind
346 ID 2/2 application type
347 R 1/10 hash total
349 ID 1/1 description type
350 AN 1/20 line number
351 N0 1/3 discount days
352 AN 1/80 description
353 ID 2/2 purpose
354 N0 1/6 line count
355 ID 2/2 unit
356 N0 1/6 pack
357 R 1/8 size
358 R 1/10>1/15 quantity invoiced
362 N2 1/10 discount amount
363 ID 3/3 note reference
364 AN 1/80>1/256 contact number
365 ID 2/2 contact number kind
366 ID 2/2 contact function
367 AN 1/30 contract
368 ID 2/2 shipment status
369 AN 1/45 free text
370 DT 8/8 discount due date
371 ID 2/2 change reason
373 DT 8/8 date
374 ID 3/3 date kind
378 ID 1/1 percent kind
380 R 1/15 quantity
382 R 1/10 units shipped
383 R 1/9 quantity difference
384 R 1/9 gross weight per pack
385 R 1/9 gross volume per pack
386 N0 1/3 net days
387 AN 1/35 routing
388 DT 8/8 deferred due date
389 N2 1/10 deferred amount
395 R 1/8 unit weight
396 AN 2/30 shipment number
397 AN 1/10 colour
398 R 1/10 sizing factor
399 ID 1/1 pallet exchange
400 ID 2/2 unit load option
407 ID 2/2 seal status
408 R 1/4 temperature
416 N0 6/6 pallet block and tiers
417 AN 1/3 price bracket
418 R 1/9 new list cost
419 R 1/9 old list cost
420 N2 2/7 new retail price
421 N2 2/7 old retail price
426 ID 2/2 adjustment reason
432 ID 2/2 date kind
438 AN 12/12 case barcode
439 AN 1/16 price list
440 AN 1/16 price list issue
441 ID 1/1 tax exemption
443 AN 1/20 inquiry reference
446 DT 8/8 net due date
447 AN 1/6>1/4 loop id
478 ID 1/1 credit or debit
479 ID 2/2 functional group
480 AN 1/12 version
481 ID 1/2 trace kind
482 ID 2/2 payment action
488 N0 1/3 whole percent
499 AN 1/10 condition value
506 ID 2/2 bank id kind
507 AN 3/12 bank id
508 AN 1/35 account
509 AN 10/10 company id
510 AN 9/9 company sub-id
522 ID 1/3 amount kind
539 AN 1/25>1/30 vehicle id
554 N0 1/6 assigned number
559 ID 2/2 agency
560 ID 2/10 special service
562 ID 1/2 rate kind
563 ID 1/2 sales requirement
566 ID 1/2 substitution
567 N0 4/5 equipment length
569 ID 1/3 account kind
584 ID 2/2 employment status
587 ID 2/2 acknowledgement type
591 ID 3/3 payment method
594 ID 1/1 frequency
595 ID 1/1 compartment
597 AN 1/8 vessel code
610 N2 1/15 amount, two implied decimals
618 ID 1/3 set fault
620 ID 1/3 segment fault
621 ID 1/3 element fault
622 N0 1/5 number of loads
623 ID 2/2 time zone
626 ID 1/2 excess transport reason
627 ID 1/1 excess transport payer
628 AN 1/12 level id
639 ID 2/2 price basis
640 ID 2/2 transaction type
641 ID 3/3 status reason
646 R 1/15 quantity shipped to date
647 ID 1/3 application fault
648 ID 3/3 multiplier kind
649 R 1/10 multiplier
653 ID 3/3 discount type
654 ID 2/2 discount base kind
655 R 1/10 discount base
656 ID 2/3 discount limit kind
657 N0 1/10 discount limit
659 ID 1/2 verified by
662 ID 1/1 relationship
665 ID 1/1 residue
668 ID 2/2 line status
669 ID 3/3 exchange market
670 ID 2/2 change
671 R 1/9 quantity left to receive
673 ID 2/2 quantity kind
677 R 1/6 depth
683 ID 2/2 catalogue purpose
684 AN 1/15 catalogue
685 AN 1/15 catalogue version
686 AN 1/6 catalogue revision
687 ID 2/2 class of trade
688 ID 2/2 restriction kind
704 ID 1/2 paperwork action
706 ID 2/2 party relationship
715 ID 1/1 group verdict
716 ID 1/3 group fault
717 ID 1/1 set verdict
718 ID 1/3 set fault
719 N0 1/6>1/10 segment position
720 ID 1/3 segment fault
721 AN 2/3 segment id
722 N0 1/2 element position
723 ID 1/3 element fault
724 AN 1/99 copy of the bad value
725 N0 1/4 element number
728 ID 1/2 container load
729 AN 1/6 category
731 ID 2/2 transit direction
732 ID 2/2 transit time kind
733 R 1/4 transit time
734 AN 1/12 parent level id
735 ID 1/2 level
736 ID 1/1 has children
737 ID 2/2 measurement reference
738 ID 1/3 measurement
739 R 1/18>1/20 measured value
740 R 1/18>1/20 lowest value
741 R 1/18>1/20 highest value
743 ID 1/2 container freight payer
750 ID 2/3 characteristic
751 AN 1/12 coded description
752 ID 2/2 surface or layer
753 ID 1/5 packaging characteristic
754 AN 1/7 packaging description
755 ID 2/2 report type
756 ID 1/2 report transmission
757 N0 1/2 copies
759 ID 2/2 reportable quantity
765 N0 1/2 day of month
767 AN 1/12>1/13 market area
770 AN 1/20 option
771 ID 1/3 market area kind
782 R 1/18 amount
784 N0 1/15 length of binary data
785 AN 1/999999999 binary data
786 ID 2/2 security level
787 N0 1/15 record length
788 N0 1/5 block length
789 AN 2/2 sheet size
790 AN 1/132 title
791 AN 1/80 purpose text
792 ID 1/1 status
797 ID 2/2 security technique
799 AN 1/30 version
800 AN 1/30 compression
801 AN 1/30 file format
802 AN 1/30 program
803 AN 1/64 file name
804 AN 1/4 block type
805 AN 1/25 Canadian hazard note
806 AN 4/6 waste stream
807 AN 12/16 waste characteristics
808 ID 3/3 hazard information kind
809 AN 1/25 hazard information
810 N0 1/6 inner pack
812 ID 1/10 payment format
817 AN 1/30 tax information id
819 AN 2/3 language
822 AN 1/15 agency subset
828 R 1/9 taxed amount
854 ID 2/2 vessel type
875 ID 3/3 maintenance type
876 AN 1/3 other tiers per pallet
878 AN 1/20 till text
879 AN 3/3 coupon family
880 N0 1/4 shelf life in days
881 R 1/8 deposit
883 ID 1/2 pallet type
884 N0 1/3 pallet tiers
885 N0 1/3 pallet blocks
889 ID 1/1 follow-up
897 ID 1/1 vessel code kind
901 ID 2/2 refusal reason
933 AN 1/264 message text
934 ID 2/2 printer control
935 ID 2/2 significance
936 ID 2/2 attribute
951 ID 1/2 balance type
954 R 1/10 percent
955 ID 2/2 jurisdiction kind
956 AN 1/10 jurisdiction
961 AN 1/99 new content
963 ID 2/2 tax type
983 ID 1/1 hazard class rank
984 ID 1/1 hazardous goods name kind
985 ID 3/3 not otherwise specified
986 ID 1/1 special commodity
1000 AN 2/2>2/3 service characteristic
1004 ID 1/2 percent kind
1005 ID 4/4 hierarchy
1018 R 1/15 exponent
1019 ID 3/3 invoice type
1023 ID 1/1 hazard zone
1035 AN 1/35>1/60 last name
1036 AN 1/25>1/35 first name
1037 AN 1/25 middle name
1038 AN 1/10 name prefix
1039 AN 1/10 name suffix
1048 ID 1/3 business function
1049 AN 1/5 tax payment type
1050 AN 1/6 taxpayer verification
1051 N2 1/10 tax amount
1065 ID 1/1 person or organisation
1066 ID 1/2 citizenship
1067 ID 1/1 marital status
1068 ID 1/1 gender
1073 ID 1/1 yes or no
1095 N0 4/4 year
1096 AN 5/5 county
1104 ID 2/2 name part kind
1106 ID 2/2 address component
1109 ID 1/1 ethnicity
1136 ID 2/2 condition category
1149 AN 4/6 occupation
1166 ID 2/2 contract type
1176 ID 2/3 employment class
1179 ID 1/1 customs entry
1186 ID 2/2 income type
1195 AN 1/80 accounting data
1196 ID 2/2 account breakdown
1224 ID 2/2 contribution
1232 ID 2/2 purchase category
1250 ID 2/3 period format
1251 AN 1/35 period
1262 ID 1/2 loan type
1270 ID 1/3 code list
1271 AN 1/30 industry code
1296 AN 1/6 special processing
1300 AN 4/4 charge code
1301 AN 1/10 agency's charge code
1309 ID 2/2 acquisition data
1310 ID 1/1 financing
1321 ID 2/2>2/3 condition
1322 ID 1/1 certification
1373 ID 2/4 measurement method
1375 AN 1/5 interim hazard number
1401 ID 1/3 proposal detail
1430 AN 1/7 day rotation
1470 N0 1/9 number
1511 ID 2/2 deduction
1525 ID 1/2 request category
1528 N0 1/2 component position
1551 AN 1/760>1/4096 message text
1570 ID 3/3 filter
1577 ID 1/1 hazard exception
1609 ID 2/3 related data kind
1684 AN 1/4 attendance
1685 ID 1/1 tax treatment
1686 N0 1/4 repetition
1687 R 1/15 rate of pay
1688 AN 1/4 deduction type
1699 ID 1/1 pallet structure
1705 AN 1/9>1/35 implementation reference
1715 ID 1/3 country subdivision
9998 AN 1/35 context reference
9999 AN 1/35 context name
"""

COMPOSITES: Final = """
C001 355! 1018 649 355 1018 649 355 1018 649 355 1018 649 355 1018 649
C002 704! 704 704 704 704
C030 722! 1528 +1686
C040 128! 127! 128 127 128 127 | P0304 P0506
C056 1109 1270 1271 | P0203
C998 9999! 9998
C999 725! 725
"""
