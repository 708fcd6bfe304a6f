{#-
  The landed days of purchases, oldest first: a list of objects with
    day: the day, as text
    content, row_count, other_columns: of the delivery that raw holds; content none where raw holds none
    fault: a sentence's end on why the delivery cannot be taken, or none
    is_listed: whether there is a file of it in the landing folder
  and, before all others with the day none, the files that lie in no day's folder.
-#}
{% macro landed_days(meta) %}
    {%- set sql -%}
        with listed as (
            select
                landed_on,
                min(case when fault is not null then 'the file ' || path || ' cannot be taken: ' || fault end) as fault
            from {{ built_relation(built_node(meta.raw).config.meta.intake) }}
            where is_listed
            group by landed_on
        ),

        deliveries as (
            select * from {{ built_relation(meta.deliveries) }}
        )

        select
            cast(coalesce(listed.landed_on, deliveries.landed_on) as string) as day,
            deliveries.content,
            deliveries.row_count,
            to_json(deliveries.other_columns),
            coalesce(
                listed.fault,
                case
                    when deliveries.rows_landed <> deliveries.row_count
                        then format_string(
                            'of %d rows counted in its files %d were read', deliveries.rows_landed, deliveries.row_count
                        )
                end
            ) as fault,
            listed.landed_on is not null as is_listed
        from listed
        full outer join deliveries on listed.landed_on = deliveries.landed_on
        order by day nulls first
    {%- endset -%}
    {%- set days = [] -%}
    {%- for row in run_query(sql) -%}
        {% do days.append({
            'day': row[0], 'content': row[1], 'row_count': row[2] | int, 'other_columns': fromjson(row[3] or '[]'),
            'fault': row[4], 'is_listed': row[5],
        }) %}
    {%- endfor -%}
    {{ return(days) }}
{% endmacro %}
